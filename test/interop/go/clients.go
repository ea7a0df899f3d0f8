package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/admin"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
)

var instances atomic.Int32

// instance names a client of its own; those that share a name share a connection.
func instance(name string) string { return fmt.Sprintf("%s-%s-%d", name, run, instances.Add(1)) }

func newAdmin() admin.Admin {
	a, err := admin.NewAdmin(admin.WithResolver(primitive.NewPassthroughResolver(nameServer)))
	must(err)
	return a
}

// createTopic makes a topic and waits until the name server knows it.
func createTopic(name string, queues int) string {
	topic := name + "_" + run
	a := newAdmin()
	defer a.Close()
	must(a.CreateTopic(context.Background(), admin.WithTopicCreate(topic), admin.WithBrokerAddrCreate(broker),
		admin.WithReadQueueNums(queues), admin.WithWriteQueueNums(queues)))
	until(20*time.Second, func() bool {
		queues, err := a.FetchPublishMessageQueues(context.Background(), topic)
		return err == nil && len(queues) > 0
	})
	return topic
}

func newProducer(group string, options ...producer.Option) rocketmq.Producer {
	p, err := rocketmq.NewProducer(append([]producer.Option{producer.WithNameServer(nameServer), producer.WithGroupName(group + "_" + run),
		producer.WithInstanceName(instance(group)), producer.WithSendMsgTimeout(10 * time.Second), producer.WithRetry(2)}, options...)...)
	must(err)
	must(p.Start())
	return p
}

type received func(m *primitive.MessageExt)

func newPush(group, topic, expression, name string, got received, options ...consumer.Option) rocketmq.PushConsumer {
	c, err := rocketmq.NewPushConsumer(append([]consumer.Option{consumer.WithNameServer(nameServer), consumer.WithGroupName(group + "_" + run),
		consumer.WithInstance(name), consumer.WithConsumeFromWhere(consumer.ConsumeFromFirstOffset)}, options...)...)
	must(err)
	must(c.Subscribe(topic, consumer.MessageSelector{Type: consumer.TAG, Expression: expression},
		func(_ context.Context, list ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
			for _, m := range list {
				got(m)
			}
			return consumer.ConsumeSuccess, nil
		}))
	must(c.Start())
	return c
}
