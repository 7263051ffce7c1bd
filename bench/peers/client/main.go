// The load of ../../peers.ts, the same for every server: connections over raw sockets, each of which sends a message
// and waits for the answer before it sends the next.
//
//	client -protocol nsq|echo|redis|beanstalk|nats|http|delivery -address HOST:PORT [flags]
//
// Prints one line of JSON, for the time after the warm-up. The server's processor time is read from /proc.
package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/json"
	"flag"
	"log"
	"net"
	"os"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
)

var (
	protocolName = flag.String("protocol", "", "what is spoken")
	address      = flag.String("address", "", "the server's host:port")
	connections  = flag.Int("connections", 2, "that publish")
	size         = flag.Int("size", 200, "of a message, in bytes")
	rate         = flag.Int("rate", 5000, "messages a second, of delivery")
	warmup       = flag.Duration("warmup", time.Second, "is not measured")
	duration     = flag.Duration("duration", 3*time.Second, "of the measurement")
	pid          = flag.Int("pid", 0, "of the server")
	natsStorage  = flag.String("nats-storage", "memory", "memory or file")
	useTLS       = flag.Bool("tls", false, "over TLS, agreed on by NSQ's IDENTIFY")
)

// Linux counts processor time in hundredths of a second.
const ticksPerSecond = 100

type result struct {
	Seconds   float64 `json:"seconds"`
	Messages  int64   `json:"messages"`
	ServerCPU float64 `json:"serverCpuSeconds"`
	ClientCPU float64 `json:"clientCpuSeconds"`
	P50       float64 `json:"p50Ms"`
	P99       float64 `json:"p99Ms"`
	Max       float64 `json:"maxMs"`
}

// Whether times count: they do between the warm-up and the end.
var measuring atomic.Bool

func main() {
	flag.Parse()
	log.SetFlags(0)
	var histograms []*histogram
	if *protocolName == "delivery" {
		histograms = []*histogram{startDelivery()}
	} else {
		protocol, known := protocols[*protocolName]
		if !known {
			log.Fatalf("unknown protocol %q", *protocolName)
		}
		if protocol.prepare != nil {
			check(protocol.prepare())
		}
		for i := 0; i < *connections; i++ {
			connection := open()
			request, err := protocol.open(connection, i)
			check(err)
			histogram := new(histogram)
			histograms = append(histograms, histogram)
			go publish(connection, request, protocol.answered, histogram)
		}
	}
	time.Sleep(*warmup)
	start, serverCPU, clientCPU := time.Now(), processCPU(*pid), processCPU(os.Getpid())
	measuring.Store(true)
	time.Sleep(*duration)
	measuring.Store(false)
	measured := result{
		Seconds:   time.Since(start).Seconds(),
		ServerCPU: processCPU(*pid) - serverCPU,
		ClientCPU: processCPU(os.Getpid()) - clientCPU,
	}
	all := merged(histograms)
	measured.Messages = all.count
	measured.P50, measured.P99, measured.Max = all.percentile(0.5), all.percentile(0.99), all.max()
	check(json.NewEncoder(os.Stdout).Encode(measured))
}

// A connection with what has been read of it.
type connection struct {
	net.Conn
	reader *bufio.Reader
}

func open() *connection {
	socket, err := net.Dial("tcp", *address)
	check(err)
	return &connection{socket, bufio.NewReader(socket)}
}

func (c *connection) upgrade() error {
	socket := tls.Client(c.Conn, &tls.Config{InsecureSkipVerify: true})
	if err := socket.Handshake(); err != nil {
		return err
	}
	c.Conn, c.reader = socket, bufio.NewReader(socket)
	return nil
}

// Sends the request, and again with each answer.
func publish(c *connection, request []byte, answered func(*connection) error, h *histogram) {
	for {
		start := time.Now()
		_, err := c.Write(request)
		check(err)
		check(answered(c))
		if measuring.Load() {
			h.add(time.Since(start))
		}
	}
}

func body() []byte {
	return bytes.Repeat([]byte{'x'}, *size)
}

func processCPU(pid int) float64 {
	if pid == 0 {
		return 0
	}
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	check(err)
	// The second field is the program's name in brackets and may hold anything, so counting starts behind it.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+2:])
	user, err := strconv.Atoi(string(fields[11]))
	check(err)
	system, err := strconv.Atoi(string(fields[12]))
	check(err)
	return float64(user+system) / ticksPerSecond
}

// Sleeps without Go's timers, which are a millisecond apart.
func sleepUntil(moment time.Time) {
	for rest := time.Until(moment); rest > 0; rest = time.Until(moment) {
		span := syscall.NsecToTimespec(rest.Nanoseconds())
		// An interruption is no more than an early look at the clock.
		_ = syscall.Nanosleep(&span, nil)
	}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
