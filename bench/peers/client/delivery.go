package main

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"time"
)

// Where a message's body begins in a frame's content: behind timestamp, attempts and id.
const messageHead = 8 + 2 + 16

// Begins to publish at a steady rate on one connection, and to consume unbuffered on another. The times are those from
// before the write of a message until it has come.
func startDelivery() *histogram {
	consumer, publisher := open(), open()
	check(identify(consumer, `{"heartbeat_interval":60000,"output_buffer_size":-1,"output_buffer_timeout":-1}`))
	check(ask(consumer, "SUB "+topic+" load\n", nsqOK))
	_, err := consumer.Write([]byte("RDY 2500\n"))
	check(err)
	check(identify(publisher, heartbeats))
	start, h := time.Now(), new(histogram)
	go consume(consumer, start, h)
	go publishSteadily(publisher, start)
	go func() {
		for {
			check(nsqOK(publisher))
		}
	}()
	return h
}

func publishSteadily(c *connection, start time.Time) {
	runtime.LockOSThread()
	request := pub(body())
	stamp := request[len(request)-*size:]
	interval := time.Second / time.Duration(*rate)
	for next := interval; ; next += interval {
		sleepUntil(start.Add(next))
		binary.BigEndian.PutUint64(stamp, uint64(time.Since(start)))
		_, err := c.Write(request)
		check(err)
	}
}

func consume(c *connection, start time.Time, h *histogram) {
	fin := []byte("FIN 0123456789abcdef\n")
	for {
		kind, content, err := nsqFrame(c)
		check(err)
		if kind != 2 {
			check(fmt.Errorf("the consumer is sent %q", content))
		}
		sent := time.Duration(binary.BigEndian.Uint64(content[messageHead:]))
		if measuring.Load() {
			h.add(time.Since(start) - sent)
		}
		copy(fin[4:], content[10:messageHead])
		_, err = c.Write(fin)
		check(err)
	}
}
