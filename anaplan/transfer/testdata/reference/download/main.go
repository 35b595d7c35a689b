// Command download fetches a server file to stdout in the simplest good way: what the
// runner is measured against. It checks nothing and repeats nothing.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"sync"
	"time"
)

var (
	base     = flag.String("url", "", "of the server file")
	token    = flag.String("token", "", "")
	parallel = flag.Int("parallel", 4, "requests at a time")
)

func get(path string) *http.Response {
	req, _ := http.NewRequest("GET", *base+path, nil)
	req.Header.Set("Authorization", "AnaplanAuthToken "+*token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil || resp.StatusCode > 299 {
		log.Fatal(path, err, resp)
	}
	return resp
}

func main() {
	flag.Parse()
	http.DefaultTransport.(*http.Transport).MaxIdleConnsPerHost = *parallel
	began := time.Now()
	var list struct{ Chunks []struct{ ID string } }
	_ = json.NewDecoder(get("/chunks").Body).Decode(&list)
	places, turn := make(chan bool, *parallel), make(chan bool, 1)
	turn <- true
	var all sync.WaitGroup
	bytes := 0
	for _, chunk := range list.Chunks {
		places <- true
		mine, next := turn, make(chan bool, 1)
		turn = next
		all.Go(func() {
			resp := get("/chunks/" + chunk.ID)
			data := make([]byte, resp.ContentLength)
			_, _ = io.ReadFull(resp.Body, data)
			resp.Body.Close()
			<-mine
			n, _ := os.Stdout.Write(data)
			bytes += n
			next <- true
			<-places
		})
	}
	all.Wait()
	fmt.Fprintf(os.Stderr, `{"seconds":%f,"wire_bytes":%d}`+"\n", time.Since(began).Seconds(), bytes)
}
