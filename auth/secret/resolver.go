package secret

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const (
	defaultTimeout = 30 * time.Second
	maxSize        = 1 << 20
)

// ErrEmpty says that the place a reference names exists but holds nothing.
var ErrEmpty = errors.New("is empty")

// A Resolver fetches the values of references. The zero Resolver works; it may be used from several goroutines.
type Resolver struct {
	// Dir is the folder that relative file: paths are in, and in which commands run. Empty: the working folder.
	Dir string
	// Getenv looks up environment variables. Nil: os.LookupEnv.
	Getenv func(string) (string, bool)
	// Timeout limits a cmd: reference. Zero: 30 seconds.
	Timeout time.Duration
	// Vault reads vault: references. Nil: they are ErrNotAvailable.
	Vault VaultReader
	// Cache keeps what was resolved. Nil: everything is fetched each time.
	Cache *Cache
	// Seen is told every value that was fetched; it may be called from several goroutines. Nil: nobody.
	Seen func(Value)
}

// Forget makes the next Resolve of every reference fetch its value again: after a login that was refused, since a key or a
// password may have been replaced at its place.
func (r Resolver) Forget() {
	if r.Cache != nil {
		r.Cache.Forget()
	}
	if r.Vault != nil {
		r.Vault.Forget()
	}
}

// Resolve fetches the value of r: a file's content or a command's standard output, less one newline at its end, or an
// environment variable, or a field in a vault, as it is. At most 1 MiB; an empty value is ErrEmpty. Errors name the place, and
// never hold content, output or the arguments of a command. With a Cache, a value is fetched once.
func (r Resolver) Resolve(ctx context.Context, ref Ref) (Value, error) {
	if r.Cache == nil {
		return r.fetch(ctx, ref)
	}
	return r.Cache.value(ctx, place{r.Dir, ref}, func() (Value, error) { return r.fetch(ctx, ref) })
}

func (r Resolver) fetch(ctx context.Context, ref Ref) (Value, error) {
	v, err := r.read(ctx, ref)
	if err == nil && r.Seen != nil {
		r.Seen(v)
	}
	return v, err
}

func (r Resolver) read(ctx context.Context, ref Ref) (Value, error) {
	switch ref.Scheme {
	case File:
		return r.file(ref.Rest)
	case Env:
		return r.env(ref.Rest)
	case Cmd:
		return r.command(ctx, ref.Rest)
	case Vault:
		return r.vault(ctx, ref.Rest)
	}
	return Value{}, ErrNoScheme
}

func (r Resolver) file(path string) (Value, error) {
	if r.Dir != "" && !filepath.IsAbs(path) {
		path = filepath.Join(r.Dir, path)
	}
	f, err := os.Open(path)
	if err != nil {
		return Value{}, fmt.Errorf("reading a secret: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		return Value{}, fmt.Errorf("reading a secret: %w", err)
	}
	return value(b, "file "+path)
}

func (r Resolver) env(name string) (Value, error) {
	get := r.Getenv
	if get == nil {
		get = os.LookupEnv
	}
	s, ok := get(name)
	if !ok {
		return Value{}, fmt.Errorf("environment variable %s, which is to hold a secret, is not set", name)
	}
	return value([]byte(s), "environment variable "+name)
}

func (r Resolver) vault(ctx context.Context, rest string) (Value, error) {
	at, err := ParseVault(rest)
	if err != nil {
		return Value{}, err
	}
	if r.Vault == nil {
		return Value{}, fmt.Errorf("a vault: reference is %w; file:, env: and cmd: are", ErrNotAvailable)
	}
	v, err := r.Vault.Read(ctx, at)
	switch {
	case err != nil:
		return Value{}, err
	case v.Empty():
		return Value{}, fmt.Errorf("%s, which is to hold a secret, %w", at, ErrEmpty)
	}
	return v, nil
}

func (r Resolver) command(ctx context.Context, line string) (Value, error) {
	argv, err := splitCommand(line)
	if err != nil {
		return Value{}, err
	}
	limit := r.Timeout
	if limit <= 0 {
		limit = defaultTimeout
	}
	inner, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	out := &limited{}
	cmd := exec.CommandContext(inner, argv[0], argv[1:]...)
	cmd.Dir = r.Dir
	cmd.Stdout = out
	// Its standard input is empty, and what it writes to standard error goes nowhere: both are left nil.
	// Something that the command left running may keep the pipe open; it must not keep us. What the command itself printed is here by then.
	cmd.WaitDelay = time.Second
	err = cmd.Run()
	name := "command " + argv[0]
	switch {
	case ctx.Err() != nil:
		return Value{}, fmt.Errorf("%s for a secret: %w", name, ctx.Err())
	case inner.Err() != nil:
		return Value{}, fmt.Errorf("%s for a secret gave no answer within %s: %w", name, limit, context.DeadlineExceeded)
	case err != nil && !errors.Is(err, exec.ErrWaitDelay):
		return Value{}, fmt.Errorf("%s for a secret (its output is not shown): %w", name, err)
	}
	return value(out.b.Bytes(), name)
}

// limited keeps what a command printed, one byte more than allowed at most, and swallows the rest.
type limited struct{ b bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	if room := maxSize + 1 - l.b.Len(); room > 0 {
		l.b.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

// splitCommand splits a command line at spaces and tabs. '…' and "…" hold a part together and may stand next to others; there
// are no escapes, so that backslashes in Windows paths are themselves. No variables, no wildcards, no shell.
func splitCommand(line string) ([]string, error) {
	var argv []string
	var word strings.Builder
	inWord := false
	quote := rune(0)
	for _, c := range line {
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			} else {
				word.WriteRune(c)
			}
		case c == '"' || c == '\'':
			quote, inWord = c, true
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			if inWord {
				argv = append(argv, word.String())
				word.Reset()
				inWord = false
			}
		default:
			word.WriteRune(c)
			inWord = true
		}
	}
	if quote != 0 {
		return nil, fmt.Errorf("a cmd: reference has an opening %c without a closing one", quote)
	}
	if inWord {
		argv = append(argv, word.String())
	}
	if len(argv) == 0 || argv[0] == "" {
		return nil, errors.New("a cmd: reference names no program")
	}
	return argv, nil
}

func value(b []byte, place string) (Value, error) {
	if len(b) > maxSize {
		return Value{}, fmt.Errorf("%s holds more than 1 MiB, which is no secret", place)
	}
	if n := len(b); n > 0 && b[n-1] == '\n' {
		b = b[:n-1]
		if n := len(b); n > 0 && b[n-1] == '\r' {
			b = b[:n-1]
		}
	}
	if len(b) == 0 {
		return Value{}, fmt.Errorf("%s, which is to hold a secret, %w", place, ErrEmpty)
	}
	return New(b), nil
}
