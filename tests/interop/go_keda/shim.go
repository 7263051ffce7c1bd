// What KEDA's request functions for NSQ need of the rest of KEDA, which is large. ../integrations_test.ts adds them at
// the end of this file, and builds both.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"sync"
)

type quiet struct{}

func (q quiet) V(int) quiet         { return q }
func (q quiet) Info(string, ...any) {}

type nsqMetadata struct {
	NSQLookupdHTTPAddresses []string
	Topic, Channel          string
}

type nsqScaler struct {
	metadata   nsqMetadata
	httpClient *http.Client
	scheme     string
	logger     quiet
}

// keda <lookupd> <topic> <channel>: prints the depth.
func main() {
	s := nsqScaler{nsqMetadata{[]string{os.Args[1]}, os.Args[2], os.Args[3]}, http.DefaultClient, "http", quiet{}}
	depth, err := s.getTopicChannelDepth(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(depth)
}
