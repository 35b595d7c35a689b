package anaplan_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/anaplan-runner/anaplan-runner/anaplan"
	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator"
)

// brittle connections fail to write while they are broken, before any byte is written.
type brittle struct {
	net.Conn
	broken *atomic.Bool
}

func (b brittle) Write(p []byte) (int, error) {
	if b.broken.Load() {
		return 0, syscall.EPIPE
	}
	return b.Conn.Write(p)
}

// reused is a client whose connections stay open, and one is: net/http sends some
// requests again by itself when such a connection ends. dial wraps each dial.
func (n *tenant) reused(dial func(func() (net.Conn, error)) (net.Conn, error)) *anaplan.Client {
	n.Helper()
	base := n.sim.Transport()
	token := login(n.T, base)
	inner := base.DialTLSContext
	base.DialTLSContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		return dial(func() (net.Conn, error) { return inner(ctx, network, addr) })
	}
	base.CloseIdleConnections()
	c := anaplan.New(anaplan.NewHTTPClient(anaplan.HTTPOptions{Base: bearer{base, token}}), api)
	_, err := c.Me(n.Context())
	n.must(err)
	n.prepared()
	return c
}

// A start goes out once also over a connection that was used before.
func TestAStartOverAReusedConnection(t *testing.T) {
	for drop, tasks := range map[string]int{"before": 0, "after": 1} {
		inBubble(t, simulator.Options{}, anaplan.HTTPOptions{}, func(n *tenant) {
			n.sim.ExpireTokens()
			c := n.reused(func(dial func() (net.Conn, error)) (net.Conn, error) { return dial() })
			o := n.exportOf(c)
			n.prepared()
			n.sim.AddFaults(simulator.Fault{Path: "/tasks$", Drop: drop})
			task, err := c.Start(n.Context(), o, english)
			n.failedStart(task, err, true)
			if len(n.requests()) != 1 || len(n.sim.Tasks()) != tasks {
				t.Errorf("%s: %d requests, %d tasks", drop, len(n.requests()), len(n.sim.Tasks()))
			}
		})
	}
}

func (n *tenant) exportOf(c *anaplan.Client) anaplan.Object {
	for e, err := range c.Exports(n.Context(), n.hub) {
		n.must(err)
		return anaplan.Object{Model: n.hub, Kind: anaplan.KindExport, ID: e.ID}
	}
	n.Fatal("no export")
	return anaplan.Object{}
}

// When a connection that was used before turns out to be dead, and no byte was written,
// the start goes out over another one; if there is none it was not started.
func TestAStartOverADeadConnection(t *testing.T) {
	for _, there := range []bool{true, false} {
		inBubble(t, simulator.Options{}, anaplan.HTTPOptions{}, func(n *tenant) {
			n.sim.ExpireTokens()
			var broken atomic.Bool
			c := n.reused(func(dial func() (net.Conn, error)) (net.Conn, error) {
				if broken.Load() {
					if !there {
						return nil, syscall.ECONNREFUSED
					}
					return dial()
				}
				conn, err := dial()
				return brittle{conn, &broken}, err
			})
			o := n.exportOf(c)
			n.prepared()
			broken.Store(true)
			task, err := c.Start(n.Context(), o, english)
			if there {
				if err != nil || task.ID == "" || len(n.requests()) != 1 || len(n.sim.Tasks()) != 1 {
					t.Errorf("%d requests, %+v, %v", len(n.requests()), task, err)
				}
				return
			}
			n.failedStart(task, err, false)
			if !errors.Is(err, syscall.ECONNREFUSED) || len(n.requests()) != 0 {
				t.Errorf("%d requests, %v", len(n.requests()), err)
			}
		})
	}
}

// A connection that cannot be made within the limit of an attempt has sent nothing.
func TestAConnectionThatHangs(t *testing.T) {
	inBubble(t, simulator.Options{}, anaplan.HTTPOptions{}, func(n *tenant) {
		end := make(chan struct{})
		defer close(end)
		base := &http.Transport{DialTLSContext: func(context.Context, string, string) (net.Conn, error) {
			<-end // net/http goes on dialling, for the next request
			return nil, syscall.ETIMEDOUT
		}}
		c := anaplan.New(anaplan.NewHTTPClient(anaplan.HTTPOptions{Base: base}), api)
		began := time.Now()
		task, err := c.Start(n.Context(), anaplan.Object{Model: n.hub, Kind: anaplan.KindImport, ID: "112000000001"}, english)
		n.failedStart(task, err, false)
		if !errors.Is(err, anaplan.ErrNoAnswer) || time.Since(began) != 5*time.Minute {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
	})
}

// The tenant's budget of 600 a minute is never used up by us: half of it is ours.
func TestTheBudgetIsRespected(t *testing.T) {
	inBubble(t, simulator.Options{}, anaplan.HTTPOptions{Limiter: anaplan.NewLimiter(0)}, func(n *tenant) {
		began := time.Now()
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				for range 50 {
					if _, err := n.client.Me(n.Context()); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		if took := time.Since(began).Round(time.Second); len(n.requests()) != 1000 || took < 187*time.Second || took > 189*time.Second {
			t.Errorf("%d requests in %v", len(n.requests()), took)
		}
		for _, r := range n.requests() {
			if r.Status != 200 {
				t.Errorf("%+v", r)
			}
		}
	})
}

// Others use it up too: then we are refused, wait and slow down, and end all the same.
func TestABudgetThatOthersUseUp(t *testing.T) {
	for _, header := range []string{"", "date", "absent"} {
		o := simulator.Options{Switches: &simulator.Switches{RateCapacity: 20, RatePerSecond: 1, RetryAfter: header}}
		inBubble(t, o, anaplan.HTTPOptions{Limiter: anaplan.NewLimiter(0)}, func(n *tenant) {
			refused := 0
			for range 100 {
				if _, err := n.client.Me(n.Context()); err != nil {
					t.Error(err)
				}
			}
			for _, r := range n.requests() {
				if r.Status == 429 {
					refused++
				}
			}
			if refused == 0 || refused > 80 || len(n.requests()) != 100+refused {
				t.Errorf("%q: %d requests, %d refused", header, len(n.requests()), refused)
			}
		})
	}
}
