package postgres

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anaplan-runner/anaplan-runner/anaplan"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

// told waits until a runner has been told a number.
func told(t *testing.T, numbers <-chan int, want int) {
	t.Helper()
	end := time.After(time.Minute)
	for {
		select {
		case n := <-numbers:
			if n == want {
				return
			}
		case <-end:
			t.Fatalf("not told %d within a minute", want)
		}
	}
}

func TestShare(t *testing.T) {
	address := fresh(t)
	quickly := how{create: true, times: quick}
	first, second, gone := mustOpenHow(t, address, quickly), mustOpenHow(t, address, quickly), mustOpenHow(t, address, quickly)
	numbers, others := make(chan int, 100), make(chan int, 100)
	end, err := first.Share(t.Context(), "host/user", func(n int) { numbers <- n })
	if err != nil {
		t.Fatal(err)
	}
	told(t, numbers, 1)
	if _, err := second.Share(t.Context(), "host/another", func(n int) { others <- n }); err != nil {
		t.Fatal(err)
	}
	told(t, others, 1)
	if _, err := second.Share(t.Context(), "host/user", func(n int) { others <- n }); err != nil {
		t.Fatal(err)
	}
	told(t, others, 2)
	told(t, numbers, 2)
	// One that dies counts until its row ends.
	exec(t, first, `INSERT INTO sharer VALUES ('dead', 'host/user', clock_timestamp() + interval '5 seconds')`)
	told(t, numbers, 3)
	told(t, others, 3)
	told(t, numbers, 2)
	if err := second.Close(); err != nil { // ends its shares
		t.Fatal(err)
	}
	told(t, numbers, 1)
	end()
	end()
	var left int
	if err := first.pool.QueryRow(t.Context(), `SELECT count(*) FROM sharer WHERE token <> 'dead'`).Scan(&left); err != nil || left != 0 {
		t.Errorf("%d rows are left, %v", left, err)
	}
	gone.Close()
	if _, err := gone.Share(t.Context(), "host/user", func(int) {}); !errors.Is(err, ledger.ErrClosed) {
		t.Errorf("got %v", err)
	}
}

// TestTwoRunnersStayUnderTheBudget counts what two runners send that always want to.
func TestTwoRunnersStayUnderTheBudget(t *testing.T) {
	address := fresh(t)
	const perMinute = 1200 // 20 a second
	var sent atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	defer all.Wait()
	defer stop()
	var runners []chan int
	for range 2 {
		l := mustOpenHow(t, address, how{create: true, times: quick})
		limiter, numbers := anaplan.NewLimiter(perMinute), make(chan int, 100)
		if _, err := l.Share(t.Context(), "b", func(n int) {
			limiter.Divide(n)
			numbers <- n
		}); err != nil {
			t.Fatal(err)
		}
		all.Go(func() {
			for limiter.Wait(ctx) == nil {
				sent.Add(1)
			}
		})
		runners = append(runners, numbers)
	}
	for _, numbers := range runners {
		told(t, numbers, 2)
	}
	known := sent.Load()
	eventually(t, "the bursts are spent", func() bool { return sent.Load()-known > 90 })
	began := time.Now()
	before := sent.Load()
	eventually(t, "enough is sent", func() bool { return sent.Load()-before >= 80 })
	n := sent.Load() - before
	if took := time.Since(began); float64(n) > 20*took.Seconds()+10 {
		t.Errorf("%d were sent in %s, the budget is 20 a second", n, took)
	}
}
