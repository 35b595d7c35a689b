package cli

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/anaplan-runner/anaplan-runner/auth/keystore"
	"github.com/anaplan-runner/anaplan-runner/auth/secret"
	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

const requestDescription = `Makes a private key, and the request (CSR) with which an authority issues a certificate that meets Anaplan's
requirements: PREFIX.key.pem and PREFIX.csr.pem. Nothing is sent, and no file that exists is touched.

   anaplan-runner auth request --email batch@example.com --org "Example Ltd" --country GB --out batch-2027
   anaplan-runner auth request --renew certs/batch.pem --out batch-2027 --passphrase file:/run/secrets/passphrase
   anaplan-runner auth request --email batch@example.com --from-key batch.key --out batch-2027
   anaplan-runner auth request --email batch@example.com --from-key batch.jks --alias batch --out batch-2027

The key is encrypted; without --passphrase it is asked for, twice. What to do next is printed at the end.`

func (p *Program) requestCommand() *cli.Command {
	text := func(name, usage string) cli.Flag {
		return &cli.StringFlag{Name: name, Usage: usage, Category: "Request:"}
	}
	return &cli.Command{
		Name: "request", Usage: "makes a key, and the request for a certificate that Anaplan accepts",
		Description: requestDescription,
		Flags: flags([]cli.Flag{
			text("email", "`ADDRESS` of the Anaplan user that the certificate logs in as; needed without --renew"),
			text("out", "`PREFIX` of the files: PREFIX.key.pem and PREFIX.csr.pem; needed"),
			text("renew", "old certificate in `FILE`: take email address and subject from it"),
			text("subject", "`SUBJECT` as \"CN=Batch,O=Example,C=GB\", in place of --cn, --org and --country"),
			text("cn", "common `NAME`; default: the email address"),
			text("org", "`ORGANISATION`"),
			text("country", "`CODE` of the country, two letters"),
			&cli.IntFlag{Name: "bits", Value: keystore.DefaultBits, Usage: "size of the new RSA key, 2048 or more", Category: "Request:"},
			text("from-key", "request for the key in `FILE`, PEM or a key store, in place of a new one"),
			aliasFlag(), keyPassphraseFlag(),
			&cli.StringFlag{Name: "passphrase", Usage: "`REFERENCE` to the key's passphrase: file:PATH, env:NAME or cmd:COMMAND; " +
				"default: it is asked for on the terminal [the passphrase itself in $ANAPLAN_PASSPHRASE]", Category: "Request:"},
			&cli.BoolFlag{Name: "no-passphrase", Usage: "leave the new key unencrypted", Category: "Request:"},
		}, outputFlags(), logFlags()),
		Action: p.request,
	}
}

// requested is the result of auth request.
type requested struct {
	Schema    int      `json:"schema"`
	Key       string   `json:"key"`             // file with the private key
	Alias     string   `json:"alias,omitempty"` // of the key, in a key store
	NewKey    bool     `json:"new_key"`         // false with --from-key
	Encrypted bool     `json:"encrypted"`
	Request   string   `json:"request"` // file with the CSR
	Email     string   `json:"email"`
	Subject   string   `json:"subject"`
	Bits      int      `json:"bits"`
	PublicKey string   `json:"public_key_sha256"` // of its DER: the certificate that comes back has the same
	Renews    string   `json:"renews,omitempty"`
	Next      []string `json:"next"`
}

func (p *Program) request(c *cli.Context) error {
	p.startLog(c)
	if _, err := arguments(c); err != nil {
		return err
	}
	if err := requestUsage(c); err != nil {
		return err
	}
	options, err := p.requestOptions(c)
	if err != nil {
		return err
	}
	out := c.String("out")
	r := requested{Schema: 1, Key: out + ".key.pem", NewKey: true, Request: out + ".csr.pem", Email: options.Email, Renews: c.String("renew")}
	files := []newFile{{path: r.Key}, {path: r.Request}}
	if from := c.String("from-key"); from != "" {
		r.Key, r.NewKey, files = from, false, files[1:]
	}
	// Before anything takes time, or is asked for.
	for _, f := range files {
		if err := f.free(); err != nil {
			return requestFileError(r, err)
		}
	}
	key, text, err := p.requestKey(c, &r)
	if err != nil {
		return err
	}
	csr, err := keystore.NewRequest(key, options)
	if err != nil {
		return err
	}
	files[0].data = text
	files[len(files)-1].data = csr
	if err := placeNew(files); err != nil {
		return requestFileError(r, err)
	}
	if err := r.describe(csr, key); err != nil {
		return err
	}
	r.Next = r.next()
	return p.finish(c, ledger.CodeOK, r, r.text)
}

// requestUsage refuses flags that do not go together.
func requestUsage(c *cli.Context) error {
	nobody := c.String("email") == "" && c.String("renew") == ""
	switch {
	case nobody && c.String("out") == "":
		return usage("write auth request --email ADDRESS-OF-THE-ANAPLAN-USER --out PREFIX; --renew CERTIFICATE takes the address of an old one", "neither --email nor --out is given")
	case c.String("out") == "":
		return usage("give --out PREFIX, such as --out batch-2027", "no --out is given")
	case nobody:
		return usage("give --email with the address of the Anaplan user, or --renew with the old certificate", "no --email is given")
	case c.IsSet("subject") && (c.IsSet("cn") || c.IsSet("org") || c.IsSet("country")):
		return usage("give one of them", "--subject stands in place of --cn, --org and --country")
	case c.IsSet("from-key") && c.IsSet("bits"):
		return usage("leave out --bits", "--bits is for a new key, and --from-key names one that is there")
	case c.IsSet("from-key") && c.Bool("no-passphrase"):
		return usage("leave out --no-passphrase", "--no-passphrase is for a new key, and --from-key names one that is there")
	case !c.IsSet("from-key") && (c.IsSet("alias") || c.IsSet("key-passphrase")):
		return usage("give --from-key, or leave them out", "--alias and --key-passphrase are for a key in a key store, and no --from-key names one")
	case c.IsSet("passphrase") && c.Bool("no-passphrase"):
		return usage("give one of them", "--passphrase and --no-passphrase contradict each other")
	}
	if bits := c.Int("bits"); bits < 2048 || bits > 8192 {
		return usage("leave it out (3072), or write --bits 2048 or more", "--bits: Anaplan wants 2048 bits or more, and %d is not from 2048 to 8192", bits)
	}
	return nil
}

// requestOptions are whom the certificate is for: the flags, over what --renew has.
func (p *Program) requestOptions(c *cli.Context) (keystore.RequestOptions, error) {
	o := keystore.RequestOptions{Email: c.String("email")}
	if old := c.String("renew"); old != "" {
		files := keystore.Files{CertificatePath: old}
		if c.String("from-key") != "" { // alias and passwords are then those of the key store that both are in
			var conn configs.Connection
			err := p.storeSettings(c, &conn)
			if err == nil {
				files, err = p.files(conn, old, "")
			}
			if err != nil {
				return o, err
			}
		}
		id, err := files.LoadCertificate()
		if c.String("from-key") == "" && errors.Is(err, keystore.PassphraseMissing) { // --passphrase is the new key's
			return o, usage("give --email with the address of the Anaplan user in its place", "--renew %s: %v: it is not opened for a new key", old, err)
		}
		if err != nil {
			return o, err
		}
		if emails := id.Emails(); o.Email == "" && len(emails) > 0 {
			o.Email = emails[0]
		}
		if o.Email == "" {
			return o, usage("give it with --email", "--renew %s: the certificate has no email address", old)
		}
		if id.Leaf.Subject.String() != "" {
			o.RawSubject = id.Leaf.RawSubject
		}
		if c.String("email") != "" {
			o.RawSubject = withoutEmail(o.RawSubject)
		}
	}
	if err := keystore.CheckEmail(o.Email); err != nil {
		return o, usage("write the address of the Anaplan user alone, as in batch@example.com", "--email: %v", err)
	}
	if s := c.String("subject"); s != "" {
		name, err := keystore.ParseSubject(s)
		if err != nil {
			return o, usage("write it as in --subject \"CN=Batch,O=Example,C=GB\"", "--subject: %v", err)
		}
		o.Subject, o.RawSubject = name, nil
		return o, nil
	}
	name := pkix.Name{CommonName: or(c.String("cn"), o.Email)}
	if v := c.String("org"); v != "" {
		name.Organization = []string{v}
	}
	if v := c.String("country"); v != "" {
		if err := keystore.CheckCountry(v); err != nil {
			return o, usage("write it as in --country GB", "--country: %v", err)
		}
		name.Country = []string{v}
	}
	if c.IsSet("cn") || c.IsSet("org") || c.IsSet("country") {
		o.RawSubject = nil
	}
	o.Subject = name
	return o, nil
}

// withoutEmail takes email addresses out of a subject, in DER: they are another user's.
func withoutEmail(subject []byte) []byte {
	var names []asn1.RawValue // each a set, mostly of one attribute
	if _, err := asn1.Unmarshal(subject, &names); err != nil {
		return subject
	}
	kept := slices.DeleteFunc(slices.Clone(names), func(one asn1.RawValue) bool {
		var set pkix.RelativeDistinguishedNameSET
		_, err := asn1.UnmarshalWithParams(one.FullBytes, &set, "set")
		return err == nil && slices.ContainsFunc(set, func(a pkix.AttributeTypeAndValue) bool { return a.Type.Equal(emailAddress) })
	})
	if len(kept) == len(names) {
		return subject
	}
	if len(kept) == 0 {
		return nil
	}
	der, err := asn1.Marshal(kept)
	if err != nil {
		return subject
	}
	return der
}

var emailAddress = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1} // PKCS#9

// requestKey is the key to request for, and as text if it is new.
func (p *Program) requestKey(c *cli.Context, r *requested) (crypto.Signer, []byte, error) {
	here := configs.Connection{Name: "command line", PrivateKeys: []string{r.Key}}
	if err := p.storeSettings(c, &here); err != nil {
		return nil, nil, err
	}
	if !r.NewKey {
		files, err := p.files(here, "", r.Key)
		if err != nil {
			return nil, nil, err
		}
		r.Alias = files.Alias
		ask := files.Passphrase
		files.AllowOpen = true // it is only said
		files.Passphrase = func() (secret.Value, error) {
			r.Encrypted = true
			return ask()
		}
		key, warnings, err := files.LoadKey()
		for _, w := range warnings {
			p.log.Warn(w)
		}
		if info, statErr := os.Stat(r.Key); err == nil && statErr == nil && runtime.GOOS != "windows" && info.Mode()&0o044 != 0 {
			p.log.Warnf("others than its owner may read the private key %s (mode %04o), so that a login refuses it: chmod 600 %s", r.Key, info.Mode().Perm(), quoted(r.Key))
		}
		return key, nil, err
	}
	pass, err := p.newPassphrase(c, here)
	if err != nil {
		return nil, nil, err
	}
	r.Encrypted = !pass.Empty()
	key, err := keystore.NewKey(c.Int("bits"))
	if err != nil {
		return nil, nil, err
	}
	text, err := keystore.EncodeKey(key, pass)
	return key, text, err
}

// newPassphrase is that of a key that is about to be made; empty with --no-passphrase.
func (p *Program) newPassphrase(c *cli.Context, conn configs.Connection) (secret.Value, error) {
	const next = "give --passphrase file:PATH or env:NAME, or say --no-passphrase"
	switch {
	case c.Bool("no-passphrase"):
		return secret.Value{}, nil
	case conn.Passphrase != "":
		v, err := p.resolve(conn, conn.Passphrase)
		if err != nil {
			return v, connectionError(conn, "passphrase", err)
		}
		return v, nil
	case !isTerminal(p.In):
		return secret.Value{}, usage(next, "no passphrase for the new key is given, and there is no terminal to ask on")
	}
	first, err := p.ask("Passphrase for the new key: ")
	if err != nil {
		return first, err
	}
	if first.Empty() {
		return first, usage(next, "the passphrase is empty")
	}
	again, err := p.ask("The same again: ")
	if err != nil {
		return again, err
	}
	if !first.Equal(again) {
		return again, usage("call it again", "the two passphrases differ; nothing was written")
	}
	return first, nil
}

// requestFileError says what became of the files.
func requestFileError(r requested, err error) error {
	f := &failure{code: ledger.CodeInput, cause: ledger.CauseInput, what: err.Error(), err: err,
		next: "name files in a folder that can be written, on a disk with room; nothing was left behind"}
	if e, ok := errors.AsType[*existsError](err); ok {
		f.code, f.cause = ledger.CodeUsage, ledger.CauseConfig
		f.next = "give another --out: a key or a request that may be in use is never replaced"
		if e.path == r.Key {
			f.next += "; to request again for this key: --from-key " + quoted(r.Key)
		}
	}
	if e, ok := errors.AsType[*leftError](err); ok {
		f.next = "remove " + e.path + " yourself, or use it: auth request --from-key " + quoted(e.path)
	}
	return f
}

// describe reads what was made.
func (r *requested) describe(csr []byte, key crypto.Signer) error {
	made, err := parseRequest(csr)
	if err != nil {
		return fmt.Errorf("reading the request that was just made: %w", err)
	}
	r.Subject = keystore.Subject(made.Subject)
	if pub, ok := key.Public().(*rsa.PublicKey); ok {
		r.Bits = pub.N.BitLen()
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return err
	}
	sum := sha256.Sum256(der)
	r.PublicKey = hex.EncodeToString(sum[:])
	return nil
}

// next is the way from the request to a login (anaplan-api.md 2.3).
func (r *requested) next() []string {
	steps := []string{
		fmt.Sprintf("send %s (not the key) to a public authority whose root Anaplan supports, and order an S/MIME client certificate", r.Request),
		fmt.Sprintf("look at what comes back: anaplan-runner auth check CERTIFICATE.pem --private-key %s", quoted(r.Key)),
		"have a tenant security administrator upload the certificate in Anaplan: Administration > Security > Certificates",
	}
	alias := ""
	if r.Alias != "" {
		steps[1] += " --alias " + quoted(r.Alias)
		alias = fmt.Sprintf(", alias = %q", r.Alias)
	}
	if r.Renews == "" {
		return append(steps, fmt.Sprintf("name it in connections.toml: certificate = \"CERTIFICATE.pem\", private_key = %q%s; then try anaplan-runner auth token", r.Key, alias))
	}
	return append(steps,
		fmt.Sprintf("put it beside the old one, in a list: certificate = [\"CERTIFICATE.pem\", %q], and the keys likewise; the one that ends last is used, and the other while Anaplan refuses it", r.Renews),
		"when anaplan-runner auth check --online says that the new one is accepted, remove the old one from the connection, and in Anaplan")
}

func (r requested) text(w io.Writer) error {
	key := "not encrypted: whoever can read the file can log in with it"
	if r.Encrypted {
		key = "encrypted"
	}
	if !r.NewKey {
		key += ", as it was"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "key       %s (RSA, %d bits, %s)\nrequest   %s\nfor       %s\nsubject   %s\n\nNext:\n", printable(r.Key), r.Bits, key, printable(r.Request), r.Email, printable(r.Subject))
	for i, s := range r.Next {
		fmt.Fprintf(&b, "%d. %s\n", i+1, printable(s))
	}
	_, err := io.WriteString(w, b.String())
	return err
}
