package simulator

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

// network serves the simulator on in-memory connections.
type network struct {
	server     *http.Server
	accept     chan net.Conn
	done       chan struct{}
	stop       sync.Once
	served     sync.WaitGroup
	transports []*http.Transport
}

// Transport returns a client's transport whose connections, to whatever host and with http or https,
// lead to the simulator through memory: a real net/http client and server, without sockets, so that
// it works in a testing/synctest bubble. Call Close at the end, in the same bubble.
func (s *Simulator) Transport() *http.Transport {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.network == nil {
		n := &network{server: &http.Server{Handler: s}, accept: make(chan net.Conn), done: make(chan struct{})}
		n.served.Go(func() { _ = n.server.Serve(n) })
		s.network = n
	}
	t := &http.Transport{
		DialContext:         s.network.dial,
		DialTLSContext:      s.network.dial,
		MaxIdleConnsPerHost: 100,
		DisableCompression:  true,
	}
	s.network.transports = append(s.network.transports, t)
	return t
}

// Close ends the connections of Transport and waits for their goroutines; calls that hang are given
// up. It may be called more than once. Reading what happened stays possible.
func (s *Simulator) Close() error {
	s.mu.Lock()
	n := s.network
	if !s.closed {
		s.closed = true
		s.wake()
	}
	s.mu.Unlock()
	if n == nil {
		return nil
	}
	for _, t := range n.transports {
		t.CloseIdleConnections()
	}
	err := n.server.Close()
	n.served.Wait()
	return err
}

func (n *network) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := pipe()
	select {
	case n.accept <- server:
		return client, nil
	case <-n.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (n *network) Accept() (net.Conn, error) {
	select {
	case conn := <-n.accept:
		return conn, nil
	case <-n.done:
		return nil, net.ErrClosed
	}
}

func (n *network) Close() error {
	n.stop.Do(func() { close(n.done) })
	return nil
}

func (n *network) Addr() net.Addr { return address{} }

type address struct{}

func (address) Network() string { return "memory" }
func (address) String() string  { return "anaplan.simulator:443" }

// pipe makes the two ends of a connection that buffers up to 64 KiB either way.
func pipe() (net.Conn, net.Conn) {
	a, b := newStream(), newStream()
	return &conn{in: a, out: b}, &conn{in: b, out: a}
}

type conn struct{ in, out *stream }

func (c *conn) Read(p []byte) (int, error)  { return c.in.read(p) }
func (c *conn) Write(p []byte) (int, error) { return c.out.write(p) }
func (c *conn) LocalAddr() net.Addr         { return address{} }
func (c *conn) RemoteAddr() net.Addr        { return address{} }

func (c *conn) Close() error {
	c.in.close()
	c.out.close()
	return nil
}

func (c *conn) SetDeadline(t time.Time) error {
	c.in.reading.set(c.in, t)
	c.out.writing.set(c.out, t)
	return nil
}

func (c *conn) SetReadDeadline(t time.Time) error {
	c.in.reading.set(c.in, t)
	return nil
}

func (c *conn) SetWriteDeadline(t time.Time) error {
	c.out.writing.set(c.out, t)
	return nil
}

const streamSize = 64 << 10

// A stream carries bytes one way.
type stream struct {
	mu               sync.Mutex
	moved            *sync.Cond
	buffer           []byte
	closed           bool
	reading, writing deadline
}

func newStream() *stream {
	s := &stream{}
	s.moved = sync.NewCond(&s.mu)
	return s
}

func (s *stream) read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.buffer) == 0 && len(p) > 0 {
		switch {
		case s.reading.passed:
			return 0, os.ErrDeadlineExceeded
		case s.closed:
			return 0, io.EOF
		}
		s.moved.Wait()
	}
	n := copy(p, s.buffer)
	s.buffer = s.buffer[n:]
	s.moved.Broadcast()
	return n, nil
}

func (s *stream) write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	written := 0
	for len(p) > 0 {
		switch {
		case s.closed:
			return written, io.ErrClosedPipe
		case s.writing.passed:
			return written, os.ErrDeadlineExceeded
		case len(s.buffer) >= streamSize:
			s.moved.Wait()
			continue
		}
		n := min(len(p), streamSize-len(s.buffer))
		s.buffer = append(s.buffer, p[:n]...)
		p, written = p[n:], written+n
		s.moved.Broadcast()
	}
	return written, nil
}

func (s *stream) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.reading.stop()
	s.writing.stop()
	s.moved.Broadcast()
}

// A deadline wakes the waiters of its stream when it passes. The stream's mutex guards it.
type deadline struct {
	timer  *time.Timer
	passed bool
	number int // of the last setting, so that an earlier timer does nothing
}

func (d *deadline) stop() {
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
}

func (d *deadline) set(s *stream, t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d.stop()
	d.number++
	number := d.number
	d.passed = !t.IsZero() && !t.After(time.Now())
	if !t.IsZero() && !d.passed && !s.closed {
		d.timer = time.AfterFunc(time.Until(t), func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			if d.number == number {
				d.passed = true
				s.moved.Broadcast()
			}
		})
	}
	s.moved.Broadcast()
}
