package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
)

// pull: reading a queue from offsets of one's choice, and a polled subscription. The client has no seek by time.
func pull() {
	topic := createTopic("TGO_pull", 2)
	p := newProducer("PGO_pull", producer.WithQueueSelector(producer.NewManualQueueSelector()))
	b := newBook()
	queue := &primitive.MessageQueue{Topic: topic, BrokerName: brokerName(topic), QueueId: 1}
	for n := 0; n < 10; n++ {
		m := b.message(topic, "TagA", n, 20)
		m.Queue = queue
		result, err := p.SendSync(context.Background(), m)
		must(err)
		if result.QueueOffset != int64(n) {
			check("pull: offsets of the queue asked for", fmt.Sprint(n, " is at ", result))
		}
	}

	c, err := rocketmq.NewPullConsumer(consumer.WithNameServer(nameServer), consumer.WithGroupName("GGO_pull_"+run),
		consumer.WithInstance(instance("pull")), consumer.WithConsumeFromWhere(consumer.ConsumeFromFirstOffset))
	must(err)
	must(c.Subscribe(topic, consumer.MessageSelector{Type: consumer.TAG, Expression: "*"}))
	must(c.Start())
	check("pull: from the beginning", pulled(c, queue, 0, 32, 0, 10))
	check("pull: from the middle, limited", pulled(c, queue, 4, 3, 4, 7))
	past, err := c.PullFrom(context.Background(), queue, 99, 32)
	check("pull: past the end answers", text(err))
	if err == nil {
		same("pull: past the end corrects to the end", int64(10), past.NextBeginOffset)
	}

	polled := newBook()
	for n := 0; n < 10; n++ {
		polled.message(topic, "TagA", n, 20)
	}
	until(40*time.Second, func() bool {
		request, err := c.Poll(context.Background(), time.Second)
		if err == nil {
			for _, m := range request.GetMsgList() {
				polled.received(m)
			}
			c.ACK(context.Background(), request, consumer.ConsumeSuccess)
		}
		return polled.count() >= 10
	})
	check("pull: polling a subscription", polled.differs(polled.numbers(every), false))
	must(c.Shutdown())
	must(p.Shutdown())
}

func brokerName(topic string) string {
	a := newAdmin()
	defer a.Close()
	queues, err := a.FetchPublishMessageQueues(context.Background(), topic)
	must(err)
	return queues[0].BrokerName
}

// pulled is empty when a pull gives the messages [first, end).
func pulled(c rocketmq.PullConsumer, queue *primitive.MessageQueue, offset int64, count, first, end int) string {
	result, err := c.PullFrom(context.Background(), queue, offset, count)
	if err != nil {
		return err.Error()
	}
	list := result.GetMessageExts()
	if result.Status != primitive.PullFound || len(list) != end-first || result.NextBeginOffset != int64(end) {
		return result.String() + " " + strconv.Itoa(len(list)) + " messages"
	}
	for i, m := range list {
		if m.GetProperty("n") != strconv.Itoa(first+i) {
			return "message " + m.GetProperty("n") + " at place " + strconv.Itoa(i)
		}
	}
	return ""
}
