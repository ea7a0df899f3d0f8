package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
)

const queues = 8

// balance watches who consumes what. The client does not tell which queues it owns, so rounds of messages to every queue do.
type balance struct {
	lock  sync.Mutex
	topic string
	p     rocketmq.Producer
	book  *book
	// who consumed message number n, every time
	by   map[string][]string
	next int
}

// member consumes and prints one line "got N" per message until it is killed.
func member(topic, name string) {
	newPush("GGO_rebalance", topic, "*", name, func(m *primitive.MessageExt) { fmt.Println("got", m.GetProperty("n")) })
	select {}
}

func rebalance() {
	topic := createTopic("TGO_rebalance", queues)
	b := &balance{topic: topic, book: newBook(), by: map[string][]string{}}
	b.p = newProducer("PGO_rebalance", producer.WithQueueSelector(producer.NewManualQueueSelector()))
	broker := brokerName(topic)
	one := b.local("one")
	two := b.local("two")
	check("rebalance: two members own four each", b.settled(broker, 2))
	child := b.child("three")
	check("rebalance: a third joins, every queue has one owner", b.settled(broker, 3))
	must(child.Process.Kill())
	_ = child.Wait()
	check("rebalance: the others take over from a killed member", b.settled(broker, 2))
	all := b.book.numbers(every)
	until(30*time.Second, func() bool { return b.consumed(all) == "" })
	check("rebalance: no message is lost", b.consumed(all))
	must(one.Shutdown())
	must(two.Shutdown())
	must(b.p.Shutdown())
}

func (b *balance) heard(number, name string) {
	b.lock.Lock()
	defer b.lock.Unlock()
	b.by[number] = append(b.by[number], name)
}

func (b *balance) local(name string) rocketmq.PushConsumer {
	return newPush("GGO_rebalance", b.topic, "*", instance(name), func(m *primitive.MessageExt) { b.heard(m.GetProperty("n"), name) })
}

func (b *balance) child(name string) *exec.Cmd {
	self, err := os.Executable()
	must(err)
	command := exec.Command(self, "member", nameServer[0], run, b.topic, instance(name))
	out, err := command.StdoutPipe()
	must(err)
	must(command.Start())
	go func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if number, ok := strings.CutPrefix(lines.Text(), "got "); ok {
				b.heard(number, name)
			}
		}
	}()
	return command
}

// settled sends rounds until one is consumed exactly once, each queue by one member and the queues shared evenly by so many members.
func (b *balance) settled(broker string, members int) string {
	problem := "no round"
	until(60*time.Second, func() bool {
		problem = b.round(broker, members)
		return problem == ""
	})
	return problem
}

func (b *balance) round(broker string, members int) string {
	first := b.next
	for i := 0; i < 2*queues; i++ {
		m := b.book.message(b.topic, "TagA", b.next, 20)
		m.Queue = &primitive.MessageQueue{Topic: b.topic, BrokerName: broker, QueueId: b.next % queues}
		_, err := b.p.SendSync(context.Background(), m)
		must(err)
		b.next++
	}
	until(3*time.Second, func() bool { return b.shares(first, members) == "" })
	time.Sleep(300 * time.Millisecond)
	return b.shares(first, members)
}

func (b *balance) shares(first, members int) string {
	b.lock.Lock()
	defer b.lock.Unlock()
	owners := map[int]string{}
	count := map[string]int{}
	for n := first; n < first+2*queues; n++ {
		by := b.by[strconv.Itoa(n)]
		if len(by) != 1 {
			return fmt.Sprintf("message %d was consumed by %v", n, by)
		}
		owner, seen := owners[n%queues]
		if seen && owner != by[0] {
			return fmt.Sprintf("queue %d has two owners", n%queues)
		}
		if !seen {
			owners[n%queues] = by[0]
			count[by[0]]++
		}
	}
	if len(count) != members {
		return fmt.Sprintf("queues per member: %v", count)
	}
	for _, own := range count {
		if own < queues/members || own > (queues+members-1)/members {
			return fmt.Sprintf("queues per member: %v", count)
		}
	}
	return ""
}

func (b *balance) consumed(numbers []string) string {
	b.lock.Lock()
	defer b.lock.Unlock()
	var missing []string
	for _, number := range numbers {
		if len(b.by[number]) == 0 {
			missing = append(missing, number)
		}
	}
	if len(missing) == 0 {
		return ""
	}
	return "missing " + strings.Join(missing, " ")
}
