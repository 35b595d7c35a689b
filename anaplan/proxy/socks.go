package proxy

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

var noDeadline time.Time

// What SOCKS proxies answer to a request (RFC 1928, 6).
var socksAnswers = map[byte]string{
	1: "general failure", 2: "not allowed by its rules", 3: "network unreachable", 4: "host unreachable", 5: "connection refused",
	6: "TTL expired", 7: "command not supported", 8: "kind of address not supported",
}

// socks asks a SOCKS5 proxy for a connection (RFC 1928, RFC 1929). The proxy looks the host up.
func (t *tunnel) socks(ctx context.Context) (net.Conn, error) {
	as, known, err := t.login("")
	if err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(t.target)
	number, numberErr := strconv.ParseUint(port, 10, 16)
	if err != nil || numberErr != nil || len(host) > 255 {
		return nil, t.fail(Misconfigured, "cannot be asked for "+t.target, errors.Join(err, numberErr), "correct the address")
	}
	done := func() {}
	if known { // before it is dialed, for it may close a connection on which we wait
		if as, done, err = t.turn(ctx, as); err != nil {
			return nil, err
		}
	}
	defer done()
	if len(as.user) > 255 || len(as.password) > 255 {
		return nil, t.fail(Misconfigured, "takes users and passwords of at most 255 bytes", nil, "give a shorter one")
	}
	conn, err := t.dial(ctx)
	if err != nil {
		return nil, err
	}
	release := guard(ctx, conn)
	if err = t.greet(conn, as, known); err == nil {
		done()
		err = t.request(conn, host, uint16(number))
	}
	release()
	if err != nil {
		conn.Close()
		if cause := context.Cause(ctx); errors.Is(cause, context.Canceled) {
			return nil, cause
		}
		return nil, err
	}
	_ = conn.SetDeadline(noDeadline)
	return &through{Conn: conn, proxy: Name(t.via)}, nil
}

// ask sends what answers it, whole.
func ask(conn net.Conn, question, answer []byte) error {
	if _, err := conn.Write(question); err != nil {
		return err
	}
	_, err := io.ReadFull(conn, answer)
	return err
}

// broken is about an answer that is none of SOCKS.
func (t *tunnel) broken(err error) error {
	return t.fail(Unreachable, "does not answer as a SOCKS5 proxy does", err, "see that the proxy is well, and that its address is that of a SOCKS5 proxy")
}

// greet agrees on a login, and logs in.
func (t *tunnel) greet(conn net.Conn, as credential, known bool) error {
	hello := []byte{5, 1, 0}
	if known {
		hello = []byte{5, 2, 0, 2}
	}
	var chosen [2]byte
	if err := ask(conn, hello, chosen[:]); err != nil {
		return t.broken(err)
	}
	switch {
	case chosen[0] != 5:
		return t.broken(errors.New("its first answer is not that of version 5"))
	case chosen[1] == 2 && known:
		login := append([]byte{1, byte(len(as.user))}, as.user...)
		login = append(append(login, byte(len(as.password))), as.password...)
		var said [2]byte
		if err := ask(conn, login, said[:]); err != nil && (!ended(err) || t.dialer.o.Logins.worked(as)) {
			return t.broken(err)
		} else if err != nil || said[1] != 0 { // some close at once
			refusal := t.fail(Login, fmt.Sprintf("refuses the login of %s", as.user), nil, "check proxy_user and proxy_password")
			t.dialer.o.Logins.refuse(as, refusal)
			return refusal
		}
		t.dialer.learn(as)
	case chosen[1] == 0xff && !known:
		return t.fail(Login, "asks for a login, and none is given", nil, "give proxy_user and proxy_password in the connection, or --proxy-user and --proxy-password")
	case chosen[1] != 0:
		return t.fail(Login, "asks for a login that is not supported", nil, "have the proxy take user and password, or one without a login for this machine")
	}
	return nil
}

// request asks for a connection to the host.
func (t *tunnel) request(conn net.Conn, host string, port uint16) error {
	request := []byte{5, 1, 0}
	if ip := net.ParseIP(host); ip == nil {
		request = append(append(request, 3, byte(len(host))), host...)
	} else if four := ip.To4(); four != nil {
		request = append(append(request, 1), four...)
	} else {
		request = append(append(request, 4), ip.To16()...)
	}
	request = binary.BigEndian.AppendUint16(request, port)
	var head [4]byte
	if err := ask(conn, request, head[:]); err != nil {
		return t.broken(err)
	}
	if head[1] != 0 {
		text := socksAnswers[head[1]]
		if text == "" {
			text = fmt.Sprintf("answer %d", head[1])
		}
		if head[1] == 2 {
			return t.fail(Refused, "does not let us connect to "+t.target+": "+text, nil, "have the proxy's administrators allow connections to "+t.target)
		}
		return t.fail(Unreachable, "could not connect us to "+t.target+": "+text, nil, "try again later; if it stays, ask the proxy's administrators")
	}
	rest := map[byte]int{1: net.IPv4len, 4: net.IPv6len}[head[3]]
	if head[3] == 3 {
		var n [1]byte
		if _, err := io.ReadFull(conn, n[:]); err != nil {
			return t.broken(err)
		}
		rest = int(n[0])
	}
	if _, err := io.ReadFull(conn, make([]byte, rest+2)); err != nil {
		return t.broken(err)
	}
	return nil
}
