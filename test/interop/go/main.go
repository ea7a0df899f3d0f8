// Runs scenarios with the official Go client and prints one JSON line per check.
//
//	interop NAMESERVER BROKER RUN SCENARIO...
//	interop member NAMESERVER RUN TOPIC INDEX    a group member that prints what it consumes, until it is killed
package main

import (
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/apache/rocketmq-client-go/v2/rlog"
)

var (
	nameServer []string
	broker     string
	run        string
)

var scenarios = map[string]func(){
	"send":         send,
	"tags":         tags,
	"broadcasting": broadcasting,
	"rebalance":    rebalance,
	"pull":         pull,
	"admin":        administration,
}

func main() {
	rlog.SetLogLevel("fatal")
	if os.Args[1] == "member" {
		nameServer, run = []string{os.Args[2]}, os.Args[3]
		member(os.Args[4], os.Args[5])
		return
	}
	nameServer, broker, run = []string{os.Args[1]}, os.Args[2], os.Args[3]
	var running sync.WaitGroup
	for _, name := range os.Args[4:] {
		running.Add(1)
		go func(name string) {
			defer running.Done()
			guarded(name)
		}(name)
	}
	running.Wait()
}

func guarded(name string) {
	begin, failure := time.Now(), "the scenario did not end"
	defer func() {
		if problem := recover(); problem != nil {
			failure = fmt.Sprint(problem)
		}
		check(name+": no panic", failure)
		fmt.Fprintln(os.Stderr, name, "took", time.Since(begin))
	}()
	scenarios[name]()
	failure = ""
}
