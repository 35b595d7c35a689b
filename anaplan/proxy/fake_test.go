package proxy_test

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
	"unicode/utf16"
)

// fake is a proxy of ours on connections in memory, as bad as it is told to be.
type fake struct {
	target func() net.Conn // leads to the server; nil: to nobody
	auth   string          // "", "basic", "ntlm", "both", "negotiate", "digest", "socks", "socks login"
	fault  string          // of the connections to come
	slow   time.Duration   // before each answer

	mu       sync.Mutex
	connects []string // the kinds of Proxy-Authorization, in order
	targets  []string // what was asked for
	served   sync.WaitGroup
	open     []net.Conn
}

const (
	fakeUser     = `CORP\anna`
	fakePassword = "canary-p:ss/word"
)

// dial is the network of a client.
func (f *fake) dial(ctx context.Context, _, addr string) (net.Conn, error) {
	if f.is("refused") {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connect: connection refused")}
	}
	ours, theirs := net.Pipe()
	f.mu.Lock()
	f.open = append(f.open, ours)
	f.mu.Unlock()
	f.served.Go(func() {
		defer ours.Close()
		if strings.HasPrefix(f.auth, "socks") {
			f.socks(ours)
			return
		}
		f.http(ours)
	})
	return theirs, nil
}

func (f *fake) is(fault string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fault == fault
}

func (f *fake) be(fault string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault = fault
}

// close ends every connection and waits for what serves it.
func (f *fake) close() {
	f.mu.Lock()
	for _, c := range f.open {
		c.Close()
	}
	f.mu.Unlock()
	f.served.Wait()
}

func (f *fake) note(kind, target string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.connects, f.targets = append(f.connects, kind), append(f.targets, target)
}

func (f *fake) http(conn net.Conn) {
	in := bufio.NewReader(conn)
	challenged := false
	for {
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		kind, value, _ := strings.Cut(r.Header.Get("Proxy-Authorization"), " ")
		f.note(kind, r.Host)
		time.Sleep(f.slow)
		answer := func(status, header, body string) {
			_, _ = io.WriteString(conn, "HTTP/1.1 "+status+"\r\n"+header+"Content-Length: "+itoa(len(body))+"\r\n\r\n"+body)
		}
		f.mu.Lock()
		fault := f.fault
		f.mu.Unlock()
		switch fault {
		case "", "closed on a login", "closed after 407":
		case "garbage":
			_, _ = io.WriteString(conn, "220 mail.example.com ESMTP\r\n")
			return
		case "hang":
			_, _ = io.Copy(io.Discard, conn)
			return
		case "closed":
			return
		case "dropped after CONNECT":
			answer("200 Connection established", "", "")
			return
		case "407 for ever":
			answer("407 Proxy Authentication Required", "Proxy-Authenticate: Basic realm=\"corp\"\r\n", "no")
			continue
		case "endless header":
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n")
			for _, err := io.WriteString(conn, "X: "+strings.Repeat("y", 1000)+"\r\n"); err == nil; {
				_, err = io.WriteString(conn, "X: "+strings.Repeat("y", 1000)+"\r\n")
			}
			return
		default:
			answer(fault, "", "<html><head><title>x</title></head><body><h1>Blocked &amp; told</h1> by "+r.Header.Get("Proxy-Authorization")+" policy</body></html>")
			continue
		}
		message, _ := base64.StdEncoding.DecodeString(value)
		if fault == "closed on a login" && (kind == "Basic" || len(message) > 12 && message[8] == 3) {
			return
		}
		switch {
		case f.auth == "":
		case f.auth == "digest":
			answer("407 Proxy Authentication Required", "Proxy-Authenticate: Digest realm=\"corp\", nonce=\"1\"\r\n", "")
			continue
		case (f.auth == "basic" || f.auth == "both") && kind == "Basic" && string(message) == fakeUser+":"+fakePassword:
		case (f.auth == "ntlm" || f.auth == "both" || f.auth == "negotiate") && (kind == "NTLM" || kind == "Negotiate") && len(message) > 12 && message[8] == 1:
			challenged = true
			answer("407 Proxy Authentication Required", "Proxy-Authenticate: "+kind+" "+base64.StdEncoding.EncodeToString(ntlmChallenge())+"\r\n", "wait")
			continue
		case f.auth != "basic" && challenged && len(message) > 64 && message[8] == 3 && ntlmUser(message) == fakeUser:
		default:
			offers := map[string]string{"basic": "Basic realm=\"corp\"", "ntlm": "NTLM", "negotiate": "Negotiate", "both": "NTLM\r\nProxy-Authenticate: Basic realm=\"corp\""}
			answer("407 Proxy Authentication Required", "Proxy-Authenticate: "+offers[f.auth]+"\r\n", strings.Repeat("please ", 100))
			if fault == "closed after 407" {
				return
			}
			continue
		}
		if strings.HasPrefix(r.Host, "dead.") {
			time.Sleep(29 * time.Second)
			answer("504 Gateway Timeout", "", "")
			continue
		}
		f.tunnel(conn, in, "HTTP/1.1 200 Connection established\r\n\r\n")
		return
	}
}

func (f *fake) tunnel(conn net.Conn, in io.Reader, consent string) {
	if _, err := io.WriteString(conn, consent); err != nil || f.target == nil {
		return
	}
	behind := f.target()
	var both sync.WaitGroup
	both.Go(func() { _, _ = io.Copy(behind, in); behind.Close() })
	_, _ = io.Copy(conn, behind)
	conn.Close()
	both.Wait()
}

func (f *fake) socks(conn net.Conn) {
	read := func(n int) []byte {
		b := make([]byte, n)
		if _, err := io.ReadFull(conn, b); err != nil {
			return make([]byte, n)
		}
		return b
	}
	f.mu.Lock()
	fault := f.fault
	f.mu.Unlock()
	methods := string(read(int(read(2)[1])))
	f.note(map[bool]string{true: "user", false: ""}[strings.Contains(methods, "\x02")], "")
	switch {
	case fault == "garbage":
		_, _ = io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\n")
		return
	case fault == "hang":
		_, _ = io.Copy(io.Discard, conn)
		return
	case fault == "closed":
		return
	case f.auth == "socks login" && !strings.Contains(methods, "\x02"), fault == "no method":
		_, _ = conn.Write([]byte{5, 0xff})
		return
	case f.auth == "socks login":
		_, _ = conn.Write([]byte{5, 2})
		user := string(read(int(read(2)[1])))
		password := string(read(int(read(1)[0])))
		time.Sleep(f.slow)
		if user != fakeUser || password != fakePassword || fault == "login" {
			_, _ = conn.Write([]byte{1, 1})
			return
		}
		_, _ = conn.Write([]byte{1, 0})
	default:
		_, _ = conn.Write([]byte{5, 0})
	}
	kind := read(4)[3]
	host := ""
	switch kind {
	case 1:
		host = net.IP(read(4)).String()
	case 3:
		host = string(read(int(read(1)[0])))
	case 4:
		host = net.IP(read(16)).String()
	}
	f.note("", net.JoinHostPort(host, itoa(int(binary.BigEndian.Uint16(read(2))))))
	if n := map[string]byte{"not allowed": 2, "unreachable": 4, "other": 99}[fault]; n > 0 {
		_, _ = conn.Write([]byte{5, n, 0, 1, 0, 0, 0, 0, 0, 0})
		return
	}
	if fault == "dropped after CONNECT" {
		_, _ = conn.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
		return
	}
	f.tunnel(conn, conn, "\x05\x00\x00\x03\x04name\x00\x00")
}

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + itoa(n%10)
}

// ntlmChallenge is a message of the second kind, without a target.
func ntlmChallenge() []byte {
	b := make([]byte, 56)
	copy(b, "NTLMSSP\x00")
	binary.LittleEndian.PutUint32(b[8:], 2)
	binary.LittleEndian.PutUint32(b[16:], 48)         // where the empty name would stand
	binary.LittleEndian.PutUint32(b[20:], 0x00088201) // unicode, NTLM, always sign, extended session security
	copy(b[24:], "12345678")
	binary.LittleEndian.PutUint32(b[44:], 48)
	return b
}

// ntlmUser is the user of a message of the third kind.
func ntlmUser(m []byte) string {
	field := func(at int) string {
		n, from := int(binary.LittleEndian.Uint16(m[at:])), int(binary.LittleEndian.Uint32(m[at+4:]))
		if from+n > len(m) {
			return ""
		}
		words := make([]uint16, n/2)
		for i := range words {
			words[i] = binary.LittleEndian.Uint16(m[from+2*i:])
		}
		return string(utf16.Decode(words))
	}
	return field(28) + `\` + field(36)
}
