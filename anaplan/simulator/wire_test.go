package simulator

import (
	"bytes"
	"hash/crc32"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// What is only counted is counted as it came: compressed chunks compressed, a chunk that
// comes twice once.
func TestUploadsThatAreOnlyCounted(t *testing.T) {
	inBubble(t, Options{Wire: Wire{Counting: true}}, func(tn *tenant) {
		f := tn.model("Hub") + "/files/113000000012"
		tn.call("POST", f, `{"chunkCount":2}`, nil)
		tn.call("PUT", f+"/chunks/0", "was lost", nil)
		tn.call("PUT", f+"/chunks/0", "hello", nil)
		packed := zipped(t, "world")
		if status := tn.call("PUT", f+"/chunks/1", packed, nil, "Content-Type", "application/x-gzip"); status != 204 {
			t.Errorf("a chunk: %d", status)
		}
		sum := func(s string) Sum { return Sum{int64(len(s)), crc32.ChecksumIEEE([]byte(s))} }
		want := map[string]Counted{"shops.csv": {0: sum("hello"), 1: sum(packed)}}
		if diff := cmp.Diff(want, tn.s.Counted("ada@example.com")); diff != "" {
			t.Error(diff)
		}
		tn.call("POST", f, `{"chunkCount":1}`, nil)
		if got := tn.s.Counted("ada@example.com"); len(got) != 0 {
			t.Errorf("after a new chunk count: %v", got)
		}
		tn.wantNoMisuse()
	})
}

func TestDownloadsThatAreMadeUp(t *testing.T) {
	inBubble(t, Options{ChunkSize: 1_000_000, Wire: Wire{Holds: 2_500_000}}, func(tn *tenant) {
		f := tn.model("Hub") + "/files/113000000012"
		var a filesAnswer
		if tn.call("GET", f+"/chunks", "", &a); len(a.Chunks) != 3 {
			t.Errorf("%d chunks", len(a.Chunks))
		}
		var all, part []byte
		for _, c := range a.Chunks {
			tn.call("GET", f+"/chunks/"+c.ID, "", &part)
			all = append(all, part...)
		}
		var whole []byte
		tn.call("GET", f, "", &whole)
		if len(whole) != 2_500_000 || !bytes.Equal(all, whole) || bytes.Count(whole, []byte("\n")) < 50_000 {
			t.Errorf("%d bytes, %d in chunks", len(whole), len(all))
		}
		if status := tn.call("GET", f+"/chunks/3", "", nil); status != 404 {
			t.Errorf("a chunk behind the end: %d", status)
		}
		tn.wantNoMisuse()
	})
}

// Two bodies of 100,000 bytes either way at 10,000 bytes a second, and three round trips.
func TestTheLine(t *testing.T) {
	inBubble(t, Options{Wire: Wire{RoundTrip: 200 * time.Millisecond, Bandwidth: 10_000}}, func(tn *tenant) {
		f := tn.model("Hub") + "/files/113000000012"
		tn.call("POST", f, `{"chunkCount":1}`, nil)
		began := time.Now()
		var got []byte
		tn.call("PUT", f+"/chunks/0", strings.Repeat("x", 100_000), nil)
		tn.call("GET", f+"/chunks/0", "", &got)
		if took := time.Since(began).Round(time.Second); took != 20*time.Second || len(got) != 100_000 {
			t.Errorf("%d bytes in %v", len(got), took)
		}
		began = time.Now()
		tn.call("GET", f+"/chunks", "", nil)
		if took := time.Since(began); took < 200*time.Millisecond || took > 400*time.Millisecond {
			t.Errorf("a short request took %v", took)
		}
	})
}
