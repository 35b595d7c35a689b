// Command upload sends a file in chunks in the simplest good way: what the runner is
// measured against. It checks nothing and repeats nothing.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/gzip"
)

var (
	base     = flag.String("url", "", "of the server file")
	token    = flag.String("token", "", "")
	source   = flag.String("source", "", "what to upload")
	chunk    = flag.Int64("chunk", 10<<20, "bytes")
	parallel = flag.Int("parallel", 4, "requests at a time")
	level    = flag.Int("gzip", 0, "0: plain")
	wire     atomic.Int64
)

func call(method, path, kind string, body []byte) io.ReadCloser {
	req, _ := http.NewRequest(method, *base+path, bytes.NewReader(body))
	req.Header.Set("Authorization", "AnaplanAuthToken "+*token)
	req.Header.Set("Content-Type", kind)
	resp, err := http.DefaultClient.Do(req)
	if err != nil || resp.StatusCode > 299 {
		log.Fatal(method, path, err, resp)
	}
	return resp.Body
}

// each lets so many goroutines take numbers.
func each(goroutines, numbers int, f func(n int)) {
	var next atomic.Int64
	var all sync.WaitGroup
	for range goroutines {
		all.Go(func() {
			for n := int(next.Add(1)) - 1; n < numbers; n = int(next.Add(1)) - 1 {
				f(n)
			}
		})
	}
	all.Wait()
}

func main() {
	flag.Parse()
	http.DefaultTransport.(*http.Transport).MaxIdleConnsPerHost = *parallel
	began := time.Now()
	f, _ := os.Open(*source)
	info, _ := f.Stat()
	chunks := int((info.Size() + *chunk - 1) / *chunk)
	call("POST", "", "application/json", fmt.Appendf(nil, `{"chunkCount":%d}`, chunks)).Close()
	buffers := sync.Pool{New: func() any { return bytes.NewBuffer(make([]byte, 0, *chunk+bytes.MinRead)) }}
	read := func(n int) *bytes.Buffer {
		b := buffers.Get().(*bytes.Buffer)
		b.Reset()
		_, _ = b.ReadFrom(io.NewSectionReader(f, int64(n)**chunk, *chunk))
		return b
	}
	put := func(n int, kind string, b *bytes.Buffer) {
		call("PUT", fmt.Sprint("/chunks/", n), kind, b.Bytes()).Close()
		wire.Add(int64(b.Len()))
		buffers.Put(b)
	}
	if *level == 0 {
		each(*parallel, chunks, func(n int) { put(n, "application/octet-stream", read(n)) })
		chunks = 0
	}
	packed, ready := make([]*bytes.Buffer, chunks), make(chan int, *parallel)
	go func() {
		each(runtime.NumCPU(), chunks, func(n int) {
			plain := read(n)
			packed[n] = buffers.Get().(*bytes.Buffer)
			packed[n].Reset()
			zip, _ := gzip.NewWriterLevel(packed[n], *level)
			_, _ = zip.Write(plain.Bytes())
			_ = zip.Close()
			buffers.Put(plain)
			ready <- n
		})
	}()
	each(*parallel, chunks, func(int) {
		n := <-ready
		put(n, "application/x-gzip", packed[n])
	})
	fmt.Printf(`{"seconds":%f,"wire_bytes":%d}`+"\n", time.Since(began).Seconds(), wire.Load())
}
