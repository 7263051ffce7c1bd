// go-nsq for ../../clients.ts.
//
//	bench one-by-one|many|consume HOST:PORT TOPIC MESSAGES
package main

import (
	"encoding/json"
	"log"
	"os"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/nsqio/go-nsq"
)

func main() {
	task, address, topic := os.Args[1], os.Args[2], os.Args[3]
	messages, err := strconv.Atoi(os.Args[4])
	check(err)
	config := nsq.NewConfig()
	config.MaxInFlight = 2500
	if task == "consume" {
		consume(config, address, topic, messages)
	} else {
		publish(config, task, address, topic, messages)
	}
}

func publish(config *nsq.Config, task, address, topic string, messages int) {
	body := make([]byte, 200)
	producer, err := nsq.NewProducer(address, config)
	check(err)
	producer.SetLoggerLevel(nsq.LogLevelError)
	check(producer.Ping())
	end := report()
	if task == "one-by-one" {
		for i := 0; i < messages; i++ {
			check(producer.Publish(topic, body))
		}
	} else {
		// 1000 are unanswered at a time.
		done := make(chan *nsq.ProducerTransaction, 1000)
		for i := 0; i < messages; i++ {
			if i >= 1000 {
				check((<-done).Error)
			}
			check(producer.PublishAsync(topic, body, done))
		}
		for i := 0; i < min(messages, 1000); i++ {
			check((<-done).Error)
		}
	}
	end()
	producer.Stop()
}

func consume(config *nsq.Config, address, topic string, messages int) {
	consumer, err := nsq.NewConsumer(topic, "bench", config)
	check(err)
	consumer.SetLoggerLevel(nsq.LogLevelError)
	var left = int64(messages)
	done := make(chan bool)
	consumer.AddHandler(nsq.HandlerFunc(func(*nsq.Message) error {
		if atomic.AddInt64(&left, -1) == 0 {
			close(done)
		}
		return nil
	}))
	end := report()
	check(consumer.ConnectToNSQD(address))
	<-done
	end()
	consumer.Stop()
	<-consumer.StopChan
}

func report() func() {
	start, cpu := time.Now(), cpuSeconds()
	return func() {
		result := map[string]float64{"seconds": time.Since(start).Seconds(), "cpuSeconds": cpuSeconds() - cpu}
		check(json.NewEncoder(os.Stdout).Encode(result))
	}
}

func cpuSeconds() float64 {
	var usage syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e9
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
