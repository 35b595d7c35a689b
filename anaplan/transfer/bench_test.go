package transfer

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/anaplan-runner/anaplan-runner/anaplan"
)

// sales is a CSV file of about so many bytes, as compressible as such files are.
func sales(size int) []byte {
	products := strings.Fields("Jacket Parka Shell Vest Coat Crew Cardigan Scarf Boot Shoe Trainer Pack Tote Beanie Belt Strap Umbrella Mug")
	rng := rand.New(rand.NewPCG(1, 2))
	var b bytes.Buffer
	b.WriteString("Product,Store,Month,Units,Revenue\n")
	for b.Len() < size {
		fmt.Fprintf(&b, "%s,S%03d,%s 26,%d,%d.%02d\n", products[rng.IntN(len(products))], rng.IntN(400), "Jan Feb Mar Apr May Jun"[4*rng.IntN(6):][:3],
			rng.IntN(2000), rng.IntN(100000), rng.IntN(100))
	}
	return b.Bytes()
}

const benchSize, benchChunk = 16 << 20, 1 << 20

// BenchmarkUpload goes over loopback; wire/plain is what is sent of each byte.
func BenchmarkUpload(b *testing.B) {
	data := sales(benchSize)
	for _, plain := range []bool{false, true} {
		for _, parallel := range []int{1, 4} {
			b.Run(fmt.Sprintf("%s/%d", map[bool]string{false: "gzip", true: "plain"}[plain], parallel), func(b *testing.B) {
				var wire atomic.Int64
				server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.Method == http.MethodPut {
						n, _ := io.Copy(io.Discard, r.Body)
						wire.Add(n)
						w.WriteHeader(http.StatusNoContent)
						return
					}
					_, _ = io.WriteString(w, `{"file":{"id":"113000000012"}}`)
				}))
				defer server.Close()
				c := benchClient(b, server)
				b.SetBytes(int64(len(data)))
				b.ReportAllocs()
				for b.Loop() {
					_, err := Send(b.Context(), c, Upload{File: "113000000012", At: bytes.NewReader(data), Size: int64(len(data)),
						ChunkSize: benchChunk, Parallel: parallel, Gzip: map[bool]string{true: GzipOff, false: "2"}[plain]})
					if err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(wire.Load())/float64(len(data))/float64(b.N), "wire/plain")
			})
		}
	}
}

func BenchmarkDownload(b *testing.B) {
	data := sales(benchSize)
	chunks := (len(data) + benchChunk - 1) / benchChunk
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, chunk, ok := strings.Cut(r.URL.Path, "/chunks/")
		if ok {
			var n int
			_, _ = fmt.Sscan(chunk, &n)
			_, _ = w.Write(data[n*benchChunk : min(len(data), (n+1)*benchChunk)])
			return
		}
		var ids []string
		for n := range chunks {
			ids = append(ids, fmt.Sprintf(`{"id":"%d"}`, n))
		}
		_, _ = io.WriteString(w, `{"chunks":[`+strings.Join(ids, ",")+`]}`)
	}))
	defer server.Close()
	for _, parallel := range []int{1, 4} {
		b.Run(fmt.Sprint(parallel), func(b *testing.B) {
			c := benchClient(b, server)
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				down, err := Receive(b.Context(), c, Download{File: "116000000003", Writer: io.Discard, Parallel: parallel})
				if err != nil || down.Bytes != int64(len(data)) {
					b.Fatal(down, err)
				}
			}
		})
	}
}

func benchClient(b *testing.B, server *httptest.Server) *anaplan.Client {
	b.Helper()
	rt, err := anaplan.BaseTransport(anaplan.BaseOptions{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(rt.CloseIdleConnections)
	return anaplan.New(anaplan.NewHTTPClient(anaplan.HTTPOptions{Base: rt}), server.URL)
}
