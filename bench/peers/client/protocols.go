package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// How a server is told of a message.
type protocol struct {
	// Makes what has to be there first; nil where nothing has to.
	prepare func() error
	// Does what comes first on a connection, and returns the request that publishes.
	open func(c *connection, number int) ([]byte, error)
	// Reads the answer to it.
	answered func(*connection) error
}

const topic = "load"

// No run is so long that one comes.
const heartbeats = `{"heartbeat_interval":60000}`

var protocols = map[string]protocol{
	"nsq":       {prepare: makeChannel, open: openNsq, answered: nsqOK},
	"echo":      {open: openEcho, answered: nsqOK},
	"redis":     {open: openRedis, answered: redisID},
	"beanstalk": {open: openBeanstalk, answered: lineBeginning("INSERTED ")},
	"nats":      {prepare: makeStream, open: openNats, answered: natsAck},
	"http":      {open: openHTTP, answered: httpOK},
}

// The channel exists first, as with any topic in use: it gets every message, and publishing pays for that.
func makeChannel() error {
	c := open()
	defer c.Close()
	if err := identify(c, heartbeats); err != nil {
		return err
	}
	return ask(c, "SUB "+topic+" load\n", nsqOK)
}

func openNsq(c *connection, _ int) ([]byte, error) {
	settings := heartbeats
	if *useTLS {
		settings = `{"heartbeat_interval":60000,"feature_negotiation":true,"tls_v1":true}`
	}
	if err := identify(c, settings); err != nil {
		return nil, err
	}
	if *useTLS {
		if err := c.upgrade(); err != nil {
			return nil, err
		}
		if err := nsqOK(c); err != nil {
			return nil, err
		}
	}
	return pub(body()), nil
}

func identify(c *connection, settings string) error {
	request := append([]byte("  V2"), withBody("IDENTIFY\n", []byte(settings))...)
	return ask(c, string(request), func(c *connection) error {
		_, answer, err := nsqFrame(c)
		if err == nil && answer[0] != '{' && string(answer) != "OK" {
			return fmt.Errorf("IDENTIFY is answered by %q", answer)
		}
		return err
	})
}

func pub(message []byte) []byte {
	return withBody("PUB "+topic+"\n", message)
}

func withBody(command string, body []byte) []byte {
	request := binary.BigEndian.AppendUint32([]byte(command), uint32(len(body)))
	return append(request, body...)
}

func openEcho(*connection, int) ([]byte, error) {
	return pub(body()), nil
}

func nsqOK(c *connection) error {
	_, answer, err := nsqFrame(c)
	if err == nil && string(answer) != "OK" {
		return fmt.Errorf("the answer is %q", answer)
	}
	return err
}

// Reads a frame; what it holds is there until the next read.
func nsqFrame(c *connection) (kind uint32, content []byte, err error) {
	head, err := c.reader.Peek(8)
	if err != nil {
		return 0, nil, err
	}
	length := int(binary.BigEndian.Uint32(head))
	kind = binary.BigEndian.Uint32(head[4:])
	frame, err := c.reader.Peek(4 + length)
	if err != nil {
		return 0, nil, err
	}
	_, err = c.reader.Discard(4 + length)
	return kind, frame[8:], err
}

func openRedis(*connection, int) ([]byte, error) {
	return fmt.Appendf(nil, "*5\r\n$4\r\nXADD\r\n$4\r\n%s\r\n$1\r\n*\r\n$1\r\nm\r\n$%d\r\n%s\r\n", topic, *size, body()), nil
}

// A bulk string of one line.
func redisID(c *connection) error {
	if err := lineBeginning("$")(c); err != nil {
		return err
	}
	return lineBeginning("")(c)
}

func openBeanstalk(*connection, int) ([]byte, error) {
	return fmt.Appendf(nil, "put 0 0 60 %d\r\n%s\r\n", *size, body()), nil
}

func makeStream() error {
	c := open()
	defer c.Close()
	if err := greetNats(c, "_INBOX.stream"); err != nil {
		return err
	}
	settings := fmt.Sprintf(`{"name":%q,"subjects":[%q],"storage":%q}`, topic, topic, *natsStorage)
	request := natsPub("$JS.API.STREAM.CREATE."+topic, "_INBOX.stream", settings)
	return ask(c, request, natsAck)
}

func openNats(c *connection, number int) ([]byte, error) {
	inbox := "_INBOX." + strconv.Itoa(number)
	return []byte(natsPub(topic, inbox, string(body()))), greetNats(c, inbox)
}

func greetNats(c *connection, inbox string) error {
	if err := lineBeginning("INFO ")(c); err != nil {
		return err
	}
	return ask(c, "CONNECT {\"verbose\":false}\r\nSUB "+inbox+" 1\r\nPING\r\n", lineBeginning("PONG"))
}

func natsPub(subject, reply, body string) string {
	return fmt.Sprintf("PUB %s %s %d\r\n%s\r\n", subject, reply, len(body), body)
}

// A message with JSON that tells of no error.
func natsAck(c *connection) error {
	line, err := c.reader.ReadSlice('\n')
	if err != nil {
		return err
	}
	if bytes.HasPrefix(line, []byte("PING")) {
		return ask(c, "PONG\r\n", natsAck)
	}
	words := strings.Fields(string(line))
	if len(words) != 4 || words[0] != "MSG" {
		return fmt.Errorf("the answer is %q", line)
	}
	length, err := strconv.Atoi(words[3])
	if err != nil {
		return err
	}
	answer := make([]byte, length+2)
	if _, err = io.ReadFull(c.reader, answer); err == nil && bytes.Contains(answer, []byte(`"error"`)) {
		err = fmt.Errorf("the answer is %q", answer)
	}
	return err
}

func openHTTP(*connection, int) ([]byte, error) {
	return fmt.Appendf(nil, "POST /pub?topic=%s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", topic, *size, body()), nil
}

func httpOK(c *connection) error {
	answer, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	if err == nil && (answer.StatusCode != 200 || string(content) != "OK") {
		return fmt.Errorf("the answer is %s, %q", answer.Status, content)
	}
	return err
}

func lineBeginning(with string) func(*connection) error {
	return func(c *connection) error {
		line, err := c.reader.ReadSlice('\n')
		if err == nil && !bytes.HasPrefix(line, []byte(with)) {
			return fmt.Errorf("the answer is %q, not %q", line, with)
		}
		return err
	}
}

func ask(c *connection, request string, answered func(*connection) error) error {
	if _, err := c.Write([]byte(request)); err != nil {
		return err
	}
	return answered(c)
}
