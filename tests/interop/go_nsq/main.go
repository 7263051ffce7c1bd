// Publishes and consumes with go-nsq, as its users would, and writes what happened to standard output as one
// line of JSON. Run by ../go_nsq_test.ts; ../workload.ts says what is published and what must come back.
package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"sync"
	"time"

	"github.com/nsqio/go-nsq"
)

const (
	batchSize   = 100
	maxInFlight = 500
	handlers    = 4
)

type workload struct {
	TCPAddress       string `json:"tcpAddress"`
	Topic            string `json:"topic"`
	Channel          string `json:"channel"`
	Messages         int    `json:"messages"`
	Compression      string `json:"compression"`
	SingleEvery      int    `json:"singleEvery"`
	DeferEvery       int    `json:"deferEvery"`
	DeferAt          int    `json:"deferAt"`
	DeferMs          int    `json:"deferMs"`
	RequeueEvery     int    `json:"requeueEvery"`
	RequeueAt        int    `json:"requeueAt"`
	DelayEvery       int    `json:"delayEvery"`
	DelayAt          int    `json:"delayAt"`
	DelayMs          int    `json:"delayMs"`
	TouchEvery       int    `json:"touchEvery"`
	TouchAt          int    `json:"touchAt"`
	TouchIntervalMs  int    `json:"touchIntervalMs"`
	MessageTimeoutMs int    `json:"messageTimeoutMs"`
	HoldMs           int    `json:"holdMs"`
	TLS              *files `json:"tls"`
}

type files struct {
	CAPath   string `json:"caPath"`
	CertPath string `json:"certPath"`
	KeyPath  string `json:"keyPath"`
}

type report struct {
	Published int      `json:"published"`
	Finished  int      `json:"finished"`
	Requeued  int      `json:"requeued"`
	Touched   int      `json:"touched"`
	Problems  []string `json:"problems"`
}

// record is what this client knows of one message.
type record struct {
	deliveries int
	finished   int
	notBefore  time.Time
}

// roundtrip holds the state that the publisher and the handlers share.
type roundtrip struct {
	workload
	mu      sync.Mutex
	report  report
	records []record
	done    chan struct{}
}

func main() {
	r := &roundtrip{report: report{Problems: []string{}}, done: make(chan struct{})}
	if err := json.Unmarshal([]byte(os.Args[1]), &r.workload); err != nil {
		log.Fatal(err)
	}
	r.records = make([]record, r.Messages)

	consumer := r.consume()
	r.publish()
	<-r.done
	consumer.Stop()
	<-consumer.StopChan

	if err := json.NewEncoder(os.Stdout).Encode(r.report); err != nil {
		log.Fatal(err)
	}
}

func (r *roundtrip) config() *nsq.Config {
	config := nsq.NewConfig()
	config.Deflate = r.Compression == "deflate"
	config.Snappy = r.Compression == "snappy"
	config.MaxInFlight = maxInFlight
	config.MsgTimeout = time.Duration(r.MessageTimeoutMs) * time.Millisecond
	if r.TLS != nil {
		config.TlsV1 = true
		config.TlsConfig = tlsConfig(r.TLS)
	}
	return config
}

func tlsConfig(f *files) *tls.Config {
	ca, err := os.ReadFile(f.CAPath)
	if err != nil {
		log.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	cert, err := tls.LoadX509KeyPair(f.CertPath, f.KeyPath)
	if err != nil {
		log.Fatal(err)
	}
	return &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{cert}}
}

func (r *roundtrip) consume() *nsq.Consumer {
	consumer, err := nsq.NewConsumer(r.Topic, r.Channel, r.config())
	if err != nil {
		log.Fatal(err)
	}
	consumer.SetLoggerLevel(nsq.LogLevelWarning)
	consumer.AddConcurrentHandlers(nsq.HandlerFunc(r.handle), handlers)
	if err := consumer.ConnectToNSQD(r.TCPAddress); err != nil {
		log.Fatal(err)
	}
	return consumer
}

// publish sends most messages by MPUB, every SingleEvery-th by PUB and every DeferEvery-th by DPUB.
func (r *roundtrip) publish() {
	producer, err := nsq.NewProducer(r.TCPAddress, r.config())
	if err != nil {
		log.Fatal(err)
	}
	producer.SetLoggerLevel(nsq.LogLevelWarning)
	defer producer.Stop()

	var batch [][]byte
	for i := 0; i < r.Messages; i++ {
		switch {
		case i%r.DeferEvery == r.DeferAt:
			delay := time.Duration(r.DeferMs) * time.Millisecond
			r.setNotBefore(i, time.Now().Add(delay))
			r.published(1, producer.DeferredPublish(r.Topic, delay, body(i)))
		case i%r.SingleEvery == 0:
			r.published(1, producer.Publish(r.Topic, body(i)))
		default:
			batch = append(batch, body(i))
		}
		if len(batch) == batchSize || i == r.Messages-1 && len(batch) > 0 {
			r.published(len(batch), producer.MultiPublish(r.Topic, batch))
			batch = nil
		}
	}
}

func (r *roundtrip) published(count int, err error) {
	if err != nil {
		log.Fatal(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.Published += count
}

func (r *roundtrip) setNotBefore(i int, t time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.records[i].notBefore = t
}

func (r *roundtrip) handle(m *nsq.Message) error {
	m.DisableAutoResponse()
	i := r.check(m)
	if i < 0 {
		m.Finish()
		return nil
	}
	first := m.Attempts == 1
	switch {
	case first && i%r.RequeueEvery == r.RequeueAt:
		r.requeue(m, i, 0)
	case first && i%r.DelayEvery == r.DelayAt:
		r.requeue(m, i, time.Duration(r.DelayMs)*time.Millisecond)
	case i%r.TouchEvery == r.TouchAt:
		go r.touchThenFinish(m, i)
	default:
		r.finish(m, i)
	}
	return nil
}

// check compares a delivery with what was published and returns the message's number, or -1.
func (r *roundtrip) check(m *nsq.Message) int {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	i := -1
	if len(m.Body) >= 4 {
		i = int(binary.BigEndian.Uint32(m.Body))
	}
	if i < 0 || i >= r.Messages || !bytes.Equal(m.Body, body(i)) {
		r.problem("a body of %d bytes is not the one that was published", len(m.Body))
		return -1
	}
	rec := &r.records[i]
	rec.deliveries++
	if int(m.Attempts) != rec.deliveries {
		r.problem("message %d: attempts is %d at delivery %d", i, m.Attempts, rec.deliveries)
	}
	if rec.finished > 0 {
		r.problem("message %d came again after it was finished", i)
	}
	if now.Before(rec.notBefore) {
		r.problem("message %d came %s early", i, rec.notBefore.Sub(now))
	}
	return i
}

func (r *roundtrip) problem(format string, args ...any) {
	r.report.Problems = append(r.report.Problems, fmt.Sprintf(format, args...))
}

func (r *roundtrip) requeue(m *nsq.Message, i int, delay time.Duration) {
	r.mu.Lock()
	r.records[i].notBefore = time.Now().Add(delay)
	r.report.Requeued++
	r.mu.Unlock()
	m.RequeueWithoutBackoff(delay)
}

// touchThenFinish holds a message, where that is for longer than its timeout, as only touching makes possible.
func (r *roundtrip) touchThenFinish(m *nsq.Message, i int) {
	until := time.Now().Add(time.Duration(r.HoldMs) * time.Millisecond)
	for time.Now().Before(until) {
		time.Sleep(time.Duration(r.TouchIntervalMs) * time.Millisecond)
		m.Touch()
		r.mu.Lock()
		r.report.Touched++
		r.mu.Unlock()
	}
	r.finish(m, i)
}

func (r *roundtrip) finish(m *nsq.Message, i int) {
	m.Finish()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.records[i].finished++
	r.report.Finished++
	if r.report.Finished == r.Messages {
		close(r.done)
	}
}

// body makes a message from its number: the number, then bytes of all values; lengths from 4 to 1027.
func body(i int) []byte {
	b := make([]byte, 4+(i*7919)%1024)
	binary.BigEndian.PutUint32(b, uint32(i))
	for at := 4; at < len(b); at++ {
		b[at] = byte(i + at)
	}
	return b
}
