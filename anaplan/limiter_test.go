package anaplan

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// take takes n places and tells when each came.
func take(t *testing.T, l *Limiter, n int) []time.Duration {
	t.Helper()
	began := time.Now()
	var at []time.Duration
	for range n {
		if err := l.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		at = append(at, time.Since(began).Round(time.Millisecond))
	}
	return at
}

// 300 a minute: 60 at once, then one every 200 ms (design: wrappers).
func TestLimiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		at := take(t, NewLimiter(0), 65)
		if at[59] != 0 || at[60] != 200*time.Millisecond || at[64] != time.Second {
			t.Errorf("the 60th came at %v, the 61st at %v, the 65th at %v", at[59], at[60], at[64])
		}
	})
	synctest.Test(t, func(t *testing.T) {
		at := take(t, NewLimiter(30), 32) // a burst is no more than a minute's
		if at[29] != 0 || at[30] != 2*time.Second || at[31] != 4*time.Second {
			t.Errorf("30 a minute: %v", at[28:])
		}
	})
}

func TestA429HalvesTheRateForTwoMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(0)
		take(t, l, 60)
		l.Refused()
		began := time.Now()
		if at := take(t, l, 10); at[0] != 400*time.Millisecond || at[9] != 4*time.Second {
			t.Errorf("after a 429: %v", at)
		}
		time.Sleep(30 * time.Second)
		l.Refused() // the two minutes begin anew, the rate is not halved again
		take(t, l, 60)
		if at := take(t, l, 10); at[9] < 3900*time.Millisecond || at[9] > 4*time.Second {
			t.Errorf("after two 429: %v", at)
		}
		time.Sleep(time.Until(began.Add(4*time.Second + 30*time.Second + 2*time.Minute)))
		take(t, l, 60)
		if at := take(t, l, 10); at[9] != 2*time.Second {
			t.Errorf("two minutes later: %v", at)
		}
	})
}

func TestTheBudgetIsDivided(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(0)
		l.Divide(2)
		if at := take(t, l, 35); at[29] != 0 || at[30] != 400*time.Millisecond || at[34] != 2*time.Second {
			t.Errorf("half of it: the 30th came at %v, the 31st at %v, the 35th at %v", at[29], at[30], at[34])
		}
		l.Refused()
		if at := take(t, l, 5); at[4] != 4*time.Second {
			t.Errorf("half of it after a 429: %v", at)
		}
		l.Divide(4)
		if at := take(t, l, 5); at[4] != 8*time.Second {
			t.Errorf("a quarter after a 429: %v", at)
		}
		<-time.After(slowFor)
		take(t, l, 15)
		if at := take(t, l, 5); at[4] != 4*time.Second {
			t.Errorf("a quarter, two minutes later: %v", at)
		}
		l.Divide(1)
		if at := take(t, l, 5); at[4] != time.Second {
			t.Errorf("the whole again: %v", at)
		}
		l.Divide(1000) // more than its burst
		if at := take(t, l, 2); at[1] != 400*time.Second {
			t.Errorf("a thousandth: %v", at)
		}
		l.Divide(0)
		if at := take(t, l, 5); at[4] != time.Second {
			t.Errorf("divided by nobody: %v", at)
		}
	})
}

func TestTheLimiterIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(0)
		began := time.Now()
		var all sync.WaitGroup
		for range 110 {
			all.Go(func() {
				if err := l.Wait(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if got := time.Since(began).Round(time.Millisecond); got != 10*time.Second {
			t.Errorf("110 requests took %v", got)
		}
	})
}

func TestTheLimiterEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(1)
		take(t, l, 1)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		began := time.Now()
		if err := l.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 10*time.Second {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		// The place that was not used is free again.
		if at := take(t, l, 1); at[0] != 50*time.Second {
			t.Errorf("the next one came at %v", at)
		}
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func answer(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Status: http.StatusText(status), Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
}

// closing notes that a body was closed: a RoundTripper must always do so.
type closing struct {
	io.Reader
	closed *bool
}

func (c closing) Close() error {
	*c.closed = true
	return nil
}

func TestARequestThatIsNotSentClosesItsBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(1)
		take(t, l, 1)
		rt := &rated{roundTripper(func(*http.Request) (*http.Response, error) { panic("sent") }), l}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		closed := false
		req, _ := http.NewRequestWithContext(ctx, "PUT", "https://x", closing{strings.NewReader("x"), &closed})
		if _, err := rt.RoundTrip(req); !errors.Is(err, context.DeadlineExceeded) || !closed {
			t.Errorf("%v, closed %v", err, closed)
		}
	})
}
