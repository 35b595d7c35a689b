package vault

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode"

	"github.com/anaplan-runner/anaplan-runner/auth/secret"
)

// refusal is a failure that lasts until a person has done something.
func refusal(next string, err error, format string, args ...any) error {
	return &secret.FetchError{What: fmt.Sprintf(format, args...), Next: next, Err: err}
}

// unavailable is one that may pass.
func unavailable(next string, err error, format string, args ...any) error {
	return &secret.FetchError{What: fmt.Sprintf(format, args...), Next: next, Err: err, Temporary: true}
}

func temporary(err error) bool {
	e, ok := errors.AsType[*secret.FetchError](err)
	return ok && e.Temporary
}

// where names a secret without its field.
func where(ref secret.VaultRef) string {
	s := fmt.Sprintf("the secret %s in mount %s", ref.Path, ref.Mount)
	if ref.Version > 0 {
		s = fmt.Sprintf("version %d of ", ref.Version) + s
	}
	return s
}

// words are what the server said, on one line.
func (a answer) words() string {
	var all []string
	for _, s := range a.said {
		if _, after, ok := strings.Cut(s, "error occurred:\n"); ok { // "1 error occurred:\n\t* permission denied\n\n"
			s = after
		}
		s = strings.Map(func(r rune) rune {
			if unicode.IsControl(r) {
				return ' '
			}
			return r
		}, s)
		all = append(all, strings.Join(strings.Fields(strings.ReplaceAll(s, "* ", " ")), " "))
	}
	text := strings.Join(all, "; ")
	if len(text) > 300 {
		text = text[:300] + "…"
	}
	if text == "" {
		return "it gives no reason"
	}
	return text
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

const nextNetwork = "see whether the vault runs and can be reached from here, then call again"

// common are the failures that every request can have; nil for others.
func (c *Client) common(doing string, a answer) error {
	switch {
	case a.status == 0:
		return c.unreached(doing, a.err)
	case a.status == http.StatusServiceUnavailable && strings.Contains(a.words(), "sealed"):
		return unavailable("have it unsealed, then call again", a.err, "%s failed: the vault is sealed (503)", doing)
	case a.status == http.StatusTooManyRequests:
		return unavailable("call again later, or have the vault's limit raised", a.err, "%s failed: too many requests (429), also after %d repeats", doing, repeats)
	case a.status >= 500 && a.status != http.StatusNotImplemented:
		return unavailable(nextNetwork, a.err, "%s failed: the vault answered %d, also after %d repeats: %s", doing, a.status, repeats, a.words())
	case a.status == http.StatusPreconditionFailed:
		return unavailable(nextNetwork, a.err, "%s failed: the server is behind the others (412), also after %d repeats", doing, repeats)
	case a.status == http.StatusNotFound && strings.Contains(a.words(), "namespace"):
		return refusal("correct vault.namespace, or VAULT_NAMESPACE", a.err, "%s failed: there is no namespace %q (404): %s", doing, c.o.Namespace, a.words())
	}
	return nil
}

// unreached explains why there was no answer.
func (c *Client) unreached(doing string, err error) error {
	if to, ok := errors.AsType[*redirectError](err); ok {
		return refusal(fmt.Sprintf("write %s://%s as vault.address if that is your vault: the token is sent nowhere else", to.to.Scheme, to.to.Host), err, "%s failed: %v, and it is not followed", doing, to)
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return refusal("write the name that stands in the certificate as vault.address", err, "%s failed: the server's certificate is for another name: %s", doing, reason(err))
	}
	if e, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return refusal("name the authority's PEM file in vault.ca, or in VAULT_CACERT", err, "%s failed: its certificate is not trusted: %v", doing, e.Err)
	}
	if noTLS(err) {
		return refusal("write the address of the vault's TLS port as vault.address", err, "%s failed: the server does not speak TLS there", doing)
	}
	if otherTLS(err) {
		return refusal("let the server speak TLS 1.2 or newer, without a client's certificate", err, "%s failed: no TLS connection could be agreed on: %s", doing, reason(err))
	}
	if errors.Is(err, errNotJSON) || errors.Is(err, errTooLong) {
		return refusal("correct vault.address: something else than a vault answers there, such as a proxy's or a login page", err, "%s failed: %s", doing, reason(err))
	}
	return unavailable(nextNetwork, err, "%s failed, also after %d repeats: %s", doing, repeats, reason(err))
}

// explainRead says why a secret could not be read. What 403 and 404 leave open is asked of the server, as far as the token may.
func (c *Client) explainRead(ctx context.Context, ref secret.VaultRef, a answer) error {
	doing := fmt.Sprintf("reading %s of the vault %s", where(ref), c.o.Address)
	if err := c.common(doing, a); err != nil {
		return err
	}
	switch a.status {
	case http.StatusForbidden:
		if err := c.wrongMount(ctx, doing, ref); err != nil {
			return err
		}
		return c.forbidden(ctx, doing, ref, a)
	case http.StatusNotFound, http.StatusOK:
		return c.missing(ctx, doing, ref, a)
	}
	return refusal("ask who runs the vault; its log says more", a.err, "%s failed (%d): %s", doing, a.status, a.words())
}

// forbidden tells a token that has ended from one that may not.
func (c *Client) forbidden(ctx context.Context, doing string, ref secret.VaultRef, a answer) error {
	if c.lives(ctx) {
		return refusal(fmt.Sprintf("add to a policy of the login: path %q { capabilities = [\"read\"] }", ref.Mount+"/data/"+ref.Path), a.err,
			"%s was refused (403): the token is good, and may not read this: %s", doing, a.words())
	}
	next := "give a token that lives, and whose policy may read " + ref.Mount + "/data/" + ref.Path
	switch c.o.Method {
	case Agent:
		next = "see whether the agent runs and renews its token in " + c.o.TokenFile + ", and whether its policy may read " + ref.Mount + "/data/" + ref.Path
	case AppRole, Kubernetes:
		next = "let the role's policy read " + ref.Mount + "/data/" + ref.Path + "; and see that its tokens may be used from here, and more than once"
	}
	return refusal(next, a.err, "%s was refused (403): the token has ended, was revoked, or may not: %s", doing, a.words())
}

// missing tells apart what 404 can mean.
func (c *Client) missing(ctx context.Context, doing string, ref secret.VaultRef, a answer) error {
	if meta, ok := a.data["metadata"].(map[string]any); ok {
		version := fmt.Sprint(meta["version"])
		if destroyed, _ := meta["destroyed"].(bool); destroyed {
			return refusal("put it there again; what was destroyed is gone", a.err, "%s failed: its version %s was destroyed", doing, version)
		}
		if at, _ := meta["deletion_time"].(string); at != "" {
			return refusal(fmt.Sprintf("have it back with vault kv undelete -mount=%s -versions=%s %s, or put it there again", ref.Mount, version, ref.Path), a.err, "%s failed: its version %s was deleted at %s", doing, version, at)
		}
		return refusal("put the fields there: vault kv put", a.err, "%s failed: it holds nothing", doing)
	}
	if strings.Contains(a.words(), "no handler for route") {
		return refusal("correct vault.mount, or write the mount into the reference: vault:MOUNT:PATH#FIELD", a.err, "%s failed: nothing is mounted at %s (404)", doing, ref.Mount)
	}
	if err := c.wrongMount(ctx, doing, ref); err != nil {
		return err
	}
	if a.status == http.StatusOK {
		return refusal("see what answers at vault.address, and that the mount is a KV version 2 store", a.err, "%s failed: the answer is not that of a KV version 2 store", doing)
	}
	next := "correct the path; vault kv list -mount=" + ref.Mount + " shows what is there"
	for _, extra := range []string{ref.Mount + "/data/", ref.Mount + "/", "data/"} {
		if rest, ok := strings.CutPrefix(ref.Path, extra); ok && rest != "" {
			short := ref
			short.Path, short.Field = rest, "FIELD"
			next = fmt.Sprintf("leave out %s, which is added: %s", extra, short)
			break
		}
	}
	if ref.Version > 0 {
		next += "; vault kv metadata get shows the versions"
	}
	return refusal(next, a.err, "%s failed: it is not there (404)", doing)
}

// wrongMount recognises a mount that is no KV version 2 store; nil also when the server does not tell.
func (c *Client) wrongMount(ctx context.Context, doing string, ref secret.VaultRef) error {
	a := answerOf(c.api.Logical().ReadRawWithDataWithContext(ctx, "sys/internal/ui/mounts/"+ref.Mount, nil))
	kind, _ := a.data["type"].(string)
	options, _ := a.data["options"].(map[string]any)
	version, _ := options["version"].(string)
	switch {
	case a.status != http.StatusOK || kind == "":
		return nil
	case kind != "kv" && kind != "generic":
		return refusal("correct vault.mount, or write the mount into the reference: vault:MOUNT:PATH#FIELD", a.err, "%s failed: what is mounted at %s is %s, and no KV store", doing, ref.Mount, kind)
	case version != "2":
		return refusal("have it upgraded (vault kv enable-versioning "+ref.Mount+"), or name a version 2 mount: vault:MOUNT:PATH#FIELD", a.err,
			"%s failed: %s is a KV version 1 store, and only version 2 can be read", doing, ref.Mount)
	}
	return nil
}
