//go:build unix

package cli

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs"
)

// TestAuthoritiesComeFromAPipe, as of a shell's <(…), for every connection that needs them; and from nothing without an end.
func TestAuthoritiesComeFromAPipe(t *testing.T) {
	a, err := authorityOnce()
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.ca.Raw})
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	go func() {
		_, _ = w.Write(append(bytes.Repeat([]byte("# a system's authorities\n"), 8<<10), text...)) // more than a pipe holds at once
		w.Close()
	}()
	p := &Program{}
	for range 2 {
		roots, err := p.rootsOf(configs.Connection{CA: fmt.Sprintf("/dev/fd/%d", r.Fd())})
		if err != nil {
			t.Fatal(err)
		}
		if chains, err := a.ca.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err != nil || len(chains) == 0 {
			t.Errorf("it is not trusted: %v", err)
		}
	}
	t.Chdir(t.TempDir()) // for names of sockets are short
	socket, err := net.Listen("unix", "socket.pem")
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	for _, name := range []string{"large.pem", "folder", "empty.pem"} {
		if name == "folder" {
			err = os.Mkdir(name, 0o700)
		} else {
			writeFile(t, name, nil)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Truncate("large.pem", maxAuthorities+1); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"large.pem": "large.pem holds more than 16384 KiB, which is the most", "socket.pem": "socket.pem: ", "folder": "folder: ", "empty.pem": "empty.pem holds no certificate in PEM form", "absent.pem": "absent.pem: "} {
		if _, err := p.rootsOf(configs.Connection{CA: name}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("authorities in %s: %v", name, err)
		}
	}
}

// TestAPipeThatNobodyWritesTo is waited for until a signal, by whoever needs it, and by nobody else; it is read when somebody does.
func TestAPipeThatNobodyWritesTo(t *testing.T) {
	a, err := authorityOnce()
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.ca.Raw})
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "ca.pem"), text)
	pipe := filepath.Join(dir, "pipe.pem")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	p := &Program{}
	stopped := &jobs.Stopped{Signal: "SIGINT"}
	ctx, stop := context.WithCancelCause(t.Context())
	done := p.secretsEndWith(ctx)
	waits := make(chan error)
	for range 2 {
		go func() {
			_, err := p.rootsOf(configs.Connection{CA: pipe})
			waits <- err
		}()
	}
	go func() {
		_, err := p.rootsOf(configs.Connection{Dir: dir, CA: "ca.pem"})
		waits <- err
	}()
	if err := <-waits; err != nil {
		t.Error(err)
	}
	stop(stopped)
	for range 2 {
		if err := <-waits; !errors.Is(err, stopped) {
			t.Errorf("%v", err)
		}
	}
	done()
	writeFile(t, pipe, text)
	for range 2 {
		if _, err := p.rootsOf(configs.Connection{CA: pipe}); err != nil {
			t.Error(err)
		}
	}
}
