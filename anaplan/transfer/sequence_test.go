package transfer

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// Parts that come at any time, and may keep only so much, end up in order.
func TestSequence(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		type script struct {
			data  []byte
			pause []int
		}
		var parts []script
		var want []byte
		for range rapid.IntRange(1, 6).Draw(rt, "parts") {
			s := script{data: rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(rt, "data")}
			for i := 0; i*7 < len(s.data); i++ {
				s.pause = append(s.pause, rapid.IntRange(0, 9).Draw(rt, "pause"))
			}
			parts = append(parts, s)
			want = append(want, s.data...)
		}
		memory := rapid.IntRange(leastSlabs, 8).Draw(rt, "memory")
		fails := rapid.IntRange(-1, len(parts)-1).Draw(rt, "fails")
		broken := errors.New("broken")
		// rapid's Fatal must not be called inside a bubble.
		var problem string
		synctest.Test(t, func(t *testing.T) {
			var out bytes.Buffer
			budget := NewBudget(slabSize * int64(memory))
			seq := newTestSequence(t, &out, budget)
			var all sync.WaitGroup
			errs := make([]error, len(parts))
			for i, s := range parts {
				p := seq.part()
				all.Go(func() {
					if i%2 == 0 {
						_ = p.open()
					}
					err := p.fill(&pausing{data: s.data, pause: s.pause})
					if err == nil && i == fails {
						err = broken
					}
					errs[i] = p.end(err)
				})
			}
			all.Wait()
			err := errors.Join(errs...)
			switch {
			case fails < 0 && (err != nil || !bytes.Equal(out.Bytes(), want)):
				problem = "got " + out.String()
			case fails >= 0 && (!errors.Is(err, broken) || !bytes.HasPrefix(want, out.Bytes())):
				problem = "after a failure: " + out.String()
			case !budget.try(budget.slabs):
				problem = "memory was not given back"
			}
		})
		if problem != "" {
			rt.Fatal(problem)
		}
	})
}

// pausing gives seven bytes at a time.
type pausing struct {
	data  []byte
	pause []int
}

func (r *pausing) Read(p []byte) (int, error) {
	if len(r.data) == 0 {
		return 0, io.EOF
	}
	time.Sleep(time.Duration(r.pause[0]) * time.Second)
	r.pause = r.pause[1:]
	n := copy(p, r.data[:min(7, len(r.data))])
	r.data = r.data[n:]
	return n, nil
}

// newTestSequence is a sequence whose memory is all of a budget.
func newTestSequence(t *testing.T, w io.Writer, b *Budget) *sequence {
	seq := newSequence(t.Context(), w, memory{b, NewBudget(b.Size())})
	t.Cleanup(func() { seq.stop(nil) })
	return seq
}

// A part that has no memory for more waits for its turn: memory has a bound whatever the
// size of a chunk.
func TestAPartKeepsOnlySoMuch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		seq := newTestSequence(t, &out, NewBudget(2*slabSize))
		first, second := seq.part(), seq.part()
		var all sync.WaitGroup
		body := bytes.Repeat([]byte("b"), 5*slabSize)
		all.Go(func() {
			if err := errors.Join(second.open(), second.fill(bytes.NewReader(body)), second.end(nil)); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		if second.kept != 2*slabSize {
			t.Errorf("keeps %d bytes", second.kept)
		}
		if err := errors.Join(first.fill(strings.NewReader("a")), first.end(nil)); err != nil {
			t.Error(err)
		}
		all.Wait()
		if out.String() != "a"+string(body) {
			t.Errorf("got %d bytes", out.Len())
		}
	})
}

type stingy struct{ writes int }

func (s *stingy) Write(p []byte) (int, error) {
	s.writes++
	return 0, errors.New("full")
}

func TestNothingIsWrittenAfterAFailure(t *testing.T) {
	w := &stingy{}
	seq := newTestSequence(t, w, NewBudget(0))
	seq.tell = newTeller(func(Moved) { t.Error("progress without a byte") }, -1, &seq.wire)
	defer seq.tell.end()
	p, q := seq.part(), seq.part()
	if err := p.end(p.fill(strings.NewReader("more"))); err == nil || w.writes != 1 {
		t.Errorf("%d writes, %v", w.writes, err)
	}
	if err := q.fill(strings.NewReader("x")); err == nil || w.writes != 1 {
		t.Errorf("%d writes, %v", w.writes, err)
	}
}
