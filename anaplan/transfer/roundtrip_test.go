package transfer

import (
	"bytes"
	"fmt"
	"testing"
	"testing/iotest"
	"testing/synctest"

	"pgregory.net/rapid"

	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator"
)

// Any bytes, cut anyhow, come back as they were, also through faults.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		data := rapid.SliceOfN(rapid.Byte(), 1, 1500).Draw(rt, "data")
		u := Upload{
			ChunkSize: rapid.Int64Range(1, 1600).Draw(rt, "chunk"),
			Parallel:  rapid.IntRange(0, 9).Draw(rt, "parallel"),
			Gzip:      rapid.SampledFrom([]string{"", "off", "1", "6", "9"}).Draw(rt, "gzip"),
		}
		kind := rapid.SampledFrom([]string{"at", "reader", "slow", "unknown"}).Draw(rt, "source")
		down := rapid.IntRange(0, 9).Draw(rt, "down")
		var faults []simulator.Fault
		for range rapid.IntRange(0, 3).Draw(rt, "faults") {
			f := rapid.SampledFrom([]simulator.Fault{{Status: 503}, {Drop: "before"}, {Drop: "after"}, {Truncate: true}}).Draw(rt, "fault")
			f.Nth = rapid.IntRange(1, 20).Draw(rt, "nth")
			faults = append(faults, f)
		}
		var problem error
		synctest.Test(t, func(t *testing.T) { problem = roundTrip(t, data, u, kind, down, faults) })
		if problem != nil {
			rt.Fatal(problem)
		}
	})
}

func roundTrip(t *testing.T, data []byte, u Upload, kind string, down int, faults []simulator.Fault) error {
	n, err := open(t.Context(), simulator.Options{})
	if err != nil {
		return err
	}
	defer n.sim.Close()
	n.sim.AddFaults(faults...)
	u.Model, u.File, u.Size = n.hub, n.file, int64(len(data))
	switch kind {
	case "at":
		u.At = bytes.NewReader(data)
	case "reader":
		u.Source = onlyReader{bytes.NewReader(data)}
	case "slow":
		u.Source = iotest.OneByteReader(bytes.NewReader(data))
	case "unknown":
		u.Source, u.Size = onlyReader{bytes.NewReader(data)}, -1
	}
	up, err := Send(t.Context(), n.client, u)
	if err != nil {
		return err
	}
	if !bytes.Equal(n.content(), data) || up.Bytes != int64(len(data)) || up.Chunks > MaxChunks {
		return fmt.Errorf("%+v: the server file holds %q", up, n.content())
	}
	var got bytes.Buffer
	d := n.download()
	d.Writer, d.Parallel = &got, down
	result, err := Receive(t.Context(), n.client, d)
	if err != nil {
		return err
	}
	if !bytes.Equal(got.Bytes(), data) || plainly(Uploaded(result)) != plainly(up) {
		return fmt.Errorf("%+v: got %q", result, got.Bytes())
	}
	if m := n.sim.Misuse(); len(m) > 0 {
		return fmt.Errorf("misuse: %q", m)
	}
	return nil
}
