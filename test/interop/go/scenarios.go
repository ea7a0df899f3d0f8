package main

import (
	"context"
	"sync"
	"time"

	"github.com/apache/rocketmq-client-go/v2/admin"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
)

// send: synchronous, asynchronous, one-way, batch and compressed; everything is read back.
func send() {
	topic := createTopic("TGO_send", 4)
	p := newProducer("PGO_send")
	b := newBook()
	ctx := context.Background()
	answered := map[string]*primitive.SendResult{}
	for n := 0; n < 8; n++ {
		m := b.message(topic, "TagA", n, 20)
		result, err := p.SendSync(ctx, m)
		must(err)
		answered[m.GetProperty("n")] = result
	}
	same("send: sync is SendOK", primitive.SendOK, answered["7"].Status)

	var lock sync.Mutex
	var called sync.WaitGroup
	problems := ""
	for n := 20; n < 50; n++ {
		called.Add(1)
		must(p.SendAsync(ctx, func(_ context.Context, result *primitive.SendResult, err error) {
			defer called.Done()
			lock.Lock()
			defer lock.Unlock()
			if err != nil || result.Status != primitive.SendOK {
				problems += text(err) + "; "
			}
		}, b.message(topic, "TagB", n, 20)))
	}
	called.Wait()
	check("send: async calls back", problems)
	for n := 100; n < 110; n++ {
		must(p.SendOneWay(ctx, b.message(topic, "", n, 20)))
	}
	var batch []*primitive.Message
	for n := 200; n < 216; n++ {
		batch = append(batch, b.message(topic, "TagA", n, 20))
	}
	result, err := p.SendSync(ctx, batch...)
	must(err)
	same("send: batch is SendOK", primitive.SendOK, result.Status)
	result, err = p.SendSync(ctx, b.message(topic, "Zip", 300, 20_000))
	must(err)
	same("send: compressed is SendOK", primitive.SendOK, result.Status)

	all := b.numbers(every)
	c := newPush("GGO_send", topic, "*", instance("c"), b.received)
	until(40*time.Second, func() bool { return b.hasAll(all) })
	time.Sleep(time.Second)
	check("send: everything arrives once, unchanged", b.differs(all, false))
	wrong := ""
	b.lock.Lock()
	for number, result := range answered {
		if b.ids[number] != result.MsgID {
			wrong += number + " was answered " + result.MsgID + ", arrived as " + b.ids[number] + "; "
		}
	}
	b.lock.Unlock()
	check("send: ids are those of the answers", wrong)
	must(c.Shutdown())
	must(p.Shutdown())
}

// tags: two members of a group with a tag filter.
func tags() {
	topic := createTopic("TGO_tags", 4)
	b := newBook()
	one := newPush("GGO_tags", topic, "TagA || TagB", instance("c"), b.received)
	two := newPush("GGO_tags", topic, "TagA || TagB", instance("c"), b.received)
	time.Sleep(2 * time.Second) // both members have balanced; what follows tolerates no second delivery
	p := newProducer("PGO_tags")
	for n := 0; n < 60; n++ {
		_, err := p.SendSync(context.Background(), b.message(topic, []string{"TagA", "TagB", "TagC"}[n%3], n, 20))
		must(err)
	}
	wanted := b.numbers(func(n int) bool { return n%3 != 2 })
	until(40*time.Second, func() bool { return b.hasAll(wanted) })
	time.Sleep(time.Second)
	check("tags: exactly the subscribed tags arrive, once in the group", b.differs(wanted, false))
	must(one.Shutdown())
	must(two.Shutdown())
	must(p.Shutdown())
}

func broadcasting() {
	topic := createTopic("TGO_broadcast", 4)
	p := newProducer("PGO_broadcast")
	first, second := newBook(), newBook()
	one := newPush("GGO_broadcast", topic, "*", instance("c"), first.received, consumer.WithConsumerModel(consumer.BroadCasting))
	two := newPush("GGO_broadcast", topic, "*", instance("c"), second.received, consumer.WithConsumerModel(consumer.BroadCasting))
	time.Sleep(2 * time.Second)
	for n := 0; n < 30; n++ {
		second.message(topic, "TagA", n, 20)
		_, err := p.SendSync(context.Background(), first.message(topic, "TagA", n, 20))
		must(err)
	}
	all := first.numbers(every)
	until(40*time.Second, func() bool { return first.hasAll(all) && second.hasAll(all) })
	time.Sleep(time.Second)
	check("broadcasting: the first member gets everything once", first.differs(all, false))
	check("broadcasting: the second member gets everything once", second.differs(all, false))
	must(one.Shutdown())
	must(two.Shutdown())
	must(p.Shutdown())
}

func administration() {
	a := newAdmin()
	ctx := context.Background()
	topic := createTopic("TGO_admin", 3)
	queues, err := a.FetchPublishMessageQueues(ctx, topic)
	check("admin: route of a new topic", text(err))
	same("admin: its queues", 3, len(queues))
	same("admin: it is in the list", true, listed(a, topic))
	check("admin: delete", text(a.DeleteTopic(ctx, admin.WithTopicDelete(topic), admin.WithBrokerAddrDelete(broker), admin.WithNameSrvAddr(nameServer))))
	gone := until(10*time.Second, func() bool { return !listed(a, topic) })
	same("admin: it is gone from the list", true, gone)
	must(a.Close())
}

func listed(a admin.Admin, topic string) bool {
	list, err := a.FetchAllTopicList(context.Background())
	must(err)
	for _, name := range list.TopicList {
		if name == topic {
			return true
		}
	}
	return false
}
