package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/anaplan-runner/anaplan-runner/auth"
	"github.com/anaplan-runner/anaplan-runner/auth/keystore"
	"github.com/anaplan-runner/anaplan-runner/configs"
	"github.com/anaplan-runner/anaplan-runner/jobs/data"
	"github.com/anaplan-runner/anaplan-runner/jobs/ledger"
)

const payloadDescription = `Makes the header and body of one login with a certificate, for use in Postman, curl or a program of
your own. Nothing is sent.

   anaplan-runner auth payload --certificate batch.pem --private-key batch.key
   anaplan-runner auth payload --certificate batch.pem --private-key batch.key --output curl | sh

What it prints logs in to Anaplan: treat it like a password. A v2 message bears the time, and is good
for one login, now. A v1 message is good for any number of them until the certificate ends.

In Postman: POST to the URL, with the header Authorization, and the body as raw JSON.

--output curl prints a command that gives curl everything on its standard input: the arguments of a
program can be seen by everybody on the machine. With --out FILE as well, FILE is a configuration for
curl, and the command that reads it is printed.`

func (p *Program) payloadCommand() *cli.Command {
	return &cli.Command{
		Name: "payload", Usage: "makes the header and body of a certificate login, for Postman or curl",

		Description: payloadDescription,
		Flags: flags(certificateFlags(), []cli.Flag{
			&cli.StringFlag{Name: "format", Usage: "`FORMAT` of the message: v2 or v1; default: the connection's, else v2", Category: "Payload:"},
			&cli.StringFlag{Name: "header-form", Usage: "`FORM` of the certificate in the header: pem (base64 of the file's text) or der; default: the connection's, else pem", Category: "Payload:"},
			&cli.StringFlag{Name: "output", Value: "text", Usage: "`FORM` of the output: text, json or curl", Category: "Output:"},
			&cli.StringFlag{Name: "out", Usage: "write it to `FILE`, which only you can read, instead of stdout", Category: "Output:", TakesFile: true},
		}, logFlags()),
		Action: p.payload,
	}
}

func (p *Program) payload(c *cli.Context) error {
	p.startLog(c)
	if _, err := arguments(c); err != nil {
		return err
	}
	err := errors.Join(oneOf("--format", c.String("format"), "v2", "v1"), oneOf("--header-form", c.String("header-form"), "pem", "der"),
		oneOf("--output", c.String("output"), "text", "json", "curl"), p.knownRegion(c))
	if err != nil {
		return err
	}
	conn, err := p.certificateConnection(c)
	if err != nil {
		return err
	}
	hosts, err := hostsOf(conn)
	if err != nil {
		return err
	}
	id, err := p.identity(conn)
	if err != nil {
		return err
	}
	if err := id.Check(p.Now()); err != nil {
		return err
	}
	made, err := auth.NewPayload(id, auth.Format(or(c.String("format"), conn.Message)), auth.HeaderForm(or(c.String("header-form"), conn.Header)), p.Now(), nil)
	if err != nil {
		return err
	}
	result := payloadResult{Schema: 1, URL: hosts.Auth + "/token/authenticate", Header: made.Header, Format: string(made.Format),
		Data: made.EncodedData, Signed: made.EncodedSignedData, body: string(made.Body()), conn: conn}
	if made.Format == auth.V2 {
		result.DataFormat = string(made.Format)
	}
	p.payloadWarning(made.Format, id)
	return p.writePayload(c.String("output"), c.String("out"), result)
}

// payloadWarning says how secret the payload is.
func (p *Program) payloadWarning(f auth.Format, id *keystore.Identity) {
	if f == auth.V1 {
		p.log.Warnf("a v1 pair logs in again and again until the certificate ends, on %s: keep it as safe as the private key",
			id.Leaf.NotAfter.UTC().Format(time.DateOnly))
		return
	}
	p.log.Info("this pair is good for one login, now: its message bears the time")
}

// payloadResult is the JSON of auth payload. Unlike all others it is secret: showing it is
// what the command is for.
type payloadResult struct {
	Schema     int    `json:"schema"`
	URL        string `json:"url"`
	Header     string `json:"header"` // value of Authorization
	Format     string `json:"format"`
	DataFormat string `json:"encodedDataFormat,omitempty"` // v2 only, as in the body
	Data       string `json:"encodedData"`
	Signed     string `json:"encodedSignedData"`

	body string
	conn configs.Connection
}

// writePayload writes the result to stdout, or to a file that only its owner can read.
func (p *Program) writePayload(form, out string, r payloadResult) error {
	write := func(w io.Writer) error {
		switch form {
		case "json":
			return writeJSON(w, r)
		case "curl":
			if out != "" {
				_, err := io.WriteString(w, r.curlConfig())
				return err
			}
			_, err := fmt.Fprintf(w, "curl --config - <<'END'\n%sEND\n", r.curlConfig())
			return err
		}
		return r.text(w)
	}
	if out == "" {
		return write(p.plainOut) // it is asked for, with all that is secret in it
	}
	if err := placeSecret(out, write); err != nil {
		return &failure{code: ledger.CodeInput, cause: ledger.CauseInput, what: fmt.Sprintf("--out %s: %v", out, err),
			next: "name a file in a folder that can be written", err: err}
	}
	p.log.Infof("written to %s, which only you can read", out)
	if form == "curl" {
		_, err := fmt.Fprintf(p.Out, "curl --config %s\n", quoted(out))
		return err
	}
	return nil
}

// placeSecret writes a file that only its owner can read, whole or not at all, also where
// there was one that others could read.
func placeSecret(path string, write func(io.Writer) error) error {
	// A file that is replaced hands its mode on.
	if old, err := os.Stat(path); err == nil && old.Mode().IsRegular() {
		if err := os.Chmod(path, 0o600); err != nil {
			return err
		}
	}
	return data.Place(path, 0o600, func(f *os.File) error { return write(f) })
}

// text has each value on a line of its own, to be copied.
func (r payloadResult) text(w io.Writer) error {
	var b strings.Builder
	part := func(title, value string) { fmt.Fprintf(&b, "%s\n%s\n\n", title, value) }
	part("URL (POST)", r.URL)
	part("Header Authorization", r.Header)
	part("Header Content-Type", "application/json")
	if r.DataFormat != "" {
		part("encodedDataFormat", r.DataFormat)
	}
	part("encodedData", r.Data)
	part("encodedSignedData", r.Signed)
	fmt.Fprintf(&b, "Body (raw, JSON)\n%s\n", r.body)
	_, err := io.WriteString(w, b.String())
	return err
}

// curlConfig is the request in the form that curl --config reads.
func (r payloadResult) curlConfig() string {
	var b strings.Builder
	option := func(name, value string) {
		fmt.Fprintf(&b, "%s = \"%s\"\n", name, strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(value))
	}
	option("url", r.URL)
	option("header", "Authorization: "+r.Header)
	option("header", "Content-Type: application/json")
	option("data", r.body)
	if r.conn.CA != "" {
		option("cacert", inDir(r.conn.Dir, r.conn.CA))
	}
	if r.conn.Proxy != "" {
		option("proxy", r.conn.Proxy)
	}
	b.WriteString("silent\nshow-error\n")
	return b.String()
}

// oneOf refuses a value, of a flag or variable, that is none of those.
func oneOf(flag, value string, known ...string) error {
	if value == "" || slices.Contains(known, value) {
		return nil
	}
	last := len(known) - 1
	text := strings.Join(known[:last], ", ") + " or " + known[last]
	return usage("write "+flag+" "+text, "%s: %q is not %s", flag, value, text)
}

// or is the first text that is not empty.
func or(texts ...string) string {
	for _, s := range texts {
		if s != "" {
			return s
		}
	}
	return ""
}
