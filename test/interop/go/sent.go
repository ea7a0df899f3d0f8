package main

import (
	"bytes"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"sync"

	"github.com/apache/rocketmq-client-go/v2/primitive"
)

// book keeps what was sent and what arrived, by the user property "n".
type book struct {
	lock     sync.Mutex
	sent     map[string]*primitive.Message
	times    map[string]int
	ids      map[string]string
	problems []string
}

func newBook() *book {
	return &book{sent: map[string]*primitive.Message{}, times: map[string]int{}, ids: map[string]string{}}
}

func (b *book) message(topic, tag string, n, size int) *primitive.Message {
	number := strconv.Itoa(n)
	body := "message " + number + " größe " + strings.Repeat("go "+number+"; ", size/8)
	m := primitive.NewMessage(topic, []byte(body))
	if tag != "" {
		m.WithTag(tag)
	}
	m.WithKeys([]string{"key-" + number, "all"})
	m.WithProperty("n", number)
	m.WithProperty("color", "grün 你好")
	b.lock.Lock()
	defer b.lock.Unlock()
	b.sent[number] = m
	return m
}

// numbers gives what was sent and is accepted, in order of n.
func (b *book) numbers(accepts func(n int) bool) []string {
	b.lock.Lock()
	defer b.lock.Unlock()
	var list []string
	for number := range b.sent {
		if n, _ := strconv.Atoi(number); accepts(n) {
			list = append(list, number)
		}
	}
	sort.Strings(list)
	return list
}

func every(int) bool { return true }

func (b *book) received(m *primitive.MessageExt) {
	b.lock.Lock()
	defer b.lock.Unlock()
	number := m.GetProperty("n")
	b.times[number]++
	b.ids[number] = m.MsgId
	sent := b.sent[number]
	switch {
	case sent == nil:
		b.problems = append(b.problems, "unknown message "+m.String())
	case sent.Topic != m.Topic || sent.GetTags() != m.GetTags() || sent.GetKeys() != m.GetKeys() || sent.GetProperty("color") != m.GetProperty("color"):
		b.problems = append(b.problems, fmt.Sprintf("message %s: sent %v, got %v", number, sent, m))
	case !bytes.Equal(sent.Body, m.Body):
		b.problems = append(b.problems, "message "+number+" has another body")
	}
}

func (b *book) count() int {
	b.lock.Lock()
	defer b.lock.Unlock()
	return len(b.times)
}

// hasAll tells whether each of these arrived at least once.
func (b *book) hasAll(numbers []string) bool {
	b.lock.Lock()
	defer b.lock.Unlock()
	for _, number := range numbers {
		if b.times[number] == 0 {
			return false
		}
	}
	return true
}

// differs is empty when exactly these arrived, unchanged; once each unless again is allowed.
func (b *book) differs(expected []string, again bool) string {
	b.lock.Lock()
	defer b.lock.Unlock()
	problems := append([]string{}, b.problems...)
	wanted := map[string]bool{}
	for _, number := range expected {
		wanted[number] = true
		if b.times[number] == 0 || b.times[number] > 1 && !again {
			problems = append(problems, fmt.Sprintf("message %s came %d times", number, b.times[number]))
		}
	}
	for number := range b.times {
		if !wanted[number] {
			problems = append(problems, "unexpected message "+number)
		}
	}
	return strings.Join(problems, "; ")
}
