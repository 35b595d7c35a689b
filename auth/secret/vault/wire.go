package vault

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"
)

const maxAnswer = 4 << 20

var (
	errNotJSON  = errors.New("the answer is not that of a vault: it is no JSON")
	errTooLong  = errors.New("the answer is longer than 4 MiB, which is no vault's")
	errCutShort = errors.New("the answer broke off")
)

// A redirectError is an answer that sends us elsewhere.
type redirectError struct{ to *url.URL }

func (e *redirectError) Error() string {
	return "the answer is a redirect to " + e.to.Scheme + "://" + e.to.Host
}

// An answer is what came back, or why nothing did.
type answer struct {
	status int // 0: nothing came
	said   []string
	data   map[string]any
	auth   *api.SecretAuth
	err    error // when nothing came
}

// connect makes the client of the API. Nothing is sent. The environment has no say in it: its variables are for who made the Options.
func (c *Client) connect() error {
	if c.api != nil {
		return nil
	}
	if err := addressError(c.o.Address); err != nil {
		return err
	}
	client, err := api.NewClient(&api.Config{
		Address:          c.o.Address,
		HttpClient:       &http.Client{Transport: whole{c.o.Transport}, Timeout: attemptLimit, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		MaxRetries:       repeats,
		MinRetryWait:     c.o.FirstWait,
		MaxRetryWait:     longestWait,
		Backoff:          backoff,
		CheckRetry:       again,
		DisableRedirects: true,
	})
	if err != nil {
		return refusal("correct vault.address, or the VAULT_ variable that is named", err, "setting up the vault %s: %v", c.o.Address, err)
	}
	client.ClearToken()
	client.ClearNamespace()
	if c.o.Namespace != "" {
		client.SetNamespace(c.o.Namespace)
	}
	c.api = client
	return nil
}

// backoff is how long to wait before the next try: twice as long each time, or what the server asks for, within bounds.
func backoff(first, longest time.Duration, try int, resp *http.Response) time.Duration {
	if resp != nil {
		if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && s >= 0 {
			return min(max(time.Duration(s)*time.Second, first), longest)
		}
	}
	return min(first<<try, longest)
}

// again says whether trying again may help.
func again(ctx context.Context, resp *http.Response, err error) (bool, error) {
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if err != nil {
		return !lasting(err), nil
	}
	return resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusPreconditionFailed || // 412: a standby is behind
		resp.StatusCode >= 500 && resp.StatusCode != http.StatusNotImplemented, nil
}

// lasting errors are those of a wrong address or certificate, which no waiting changes.
func lasting(err error) bool {
	_, redirect := errors.AsType[*redirectError](err)
	_, certificate := errors.AsType[*tls.CertificateVerificationError](err)
	return redirect || certificate || noTLS(err) || otherTLS(err) || errors.Is(err, errNotJSON) || errors.Is(err, errTooLong)
}

// noTLS: what answered does not speak TLS.
func noTLS(err error) bool {
	_, record := errors.AsType[tls.RecordHeaderError](err)
	return record || errors.Is(err, http.ErrSchemeMismatch)
}

// otherTLS: both speak it, and find no version or way in common. The library has no type for that.
func otherTLS(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "remote error" || strings.HasPrefix(reason(err), "tls: ")
}

// addressError says what is wrong with an address that was written nowhere where that has been looked at yet.
func addressError(address string) error {
	const next = "correct vault.address or VAULT_ADDR: https://vault.example.com:8200"
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http": // it may hold anything
		return refusal(next, nil, "the address of the vault is none that begins with https://")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return refusal(next, nil, "the address of the vault at %s has a user, a ? or a # in it", u.Host)
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return refusal("write https://"+u.Host, nil, "the address of the vault, http://%s, would send the token in clear", u.Host)
	}
	return nil
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// whole reads answers to their end, inside the time limit of a try and where a repeat can still help, and looks whether a vault sent them.
type whole struct{ base http.RoundTripper }

func (w whole) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := w.base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 && resp.StatusCode < 400 {
		to, err := resp.Location()
		if err != nil {
			to = req.URL
		}
		return nil, &redirectError{to}
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, errCutShort
	case err != nil:
		return nil, err
	case len(body) > maxAnswer:
		return nil, errTooLong
	case resp.StatusCode < 500 && resp.StatusCode != http.StatusTooManyRequests && len(bytes.TrimSpace(body)) > 0 && !json.Valid(body):
		if bytes.HasPrefix(bytes.TrimSpace(body), []byte("{")) {
			return nil, errCutShort
		}
		return nil, fmt.Errorf("%w (%d)", errNotJSON, resp.StatusCode)
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	resp.ContentLength = int64(len(body))
	return resp, nil
}

// answerOf takes an answer apart.
func answerOf(resp *api.Response, err error) answer {
	var a answer
	if refused, ok := errors.AsType[*api.ResponseError](err); ok {
		a.status = refused.StatusCode
		if !refused.RawError { // what is no vault's error is a proxy's page, which shows what it likes
			a.said = refused.Errors
		}
	} else if err != nil {
		return answer{err: err}
	}
	if resp == nil || resp.Response == nil {
		return a
	}
	defer resp.Body.Close()
	a.status = resp.StatusCode
	body, _ := api.ParseSecret(resp.Body)
	if body != nil {
		a.data, a.auth = body.Data, body.Auth
	}
	return a
}

// reason is an error of the network without the address, which the text around it has.
func reason(err error) string {
	if e, ok := errors.AsType[*url.Error](err); ok {
		if e.Timeout() {
			return "no answer within " + attemptLimit.String()
		}
		err = e.Err
	}
	return err.Error()
}
