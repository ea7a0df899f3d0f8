package main

import (
	"encoding/json"
	"fmt"
	"sync"
	"time"
)

var reportLock sync.Mutex

// check prints one JSON line; a check holds when the difference is empty.
func check(name, difference string) {
	line, _ := json.Marshal(map[string]any{"name": name, "ok": difference == "", "detail": difference})
	reportLock.Lock()
	defer reportLock.Unlock()
	fmt.Println(string(line))
}

func same[T comparable](name string, expected, actual T) {
	if expected == actual {
		check(name, "")
	} else {
		check(name, fmt.Sprintf("expected %v, got %v", expected, actual))
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// until waits for a condition; false when the time is over.
func until(limit time.Duration, condition func() bool) bool {
	end := time.Now().Add(limit)
	for !condition() {
		if time.Now().After(end) {
			return false
		}
		time.Sleep(50 * time.Millisecond)
	}
	return true
}
