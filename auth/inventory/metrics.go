package inventory

import (
	"fmt"
	"io"
	"strings"
)

// Metrics writes gauges in Prometheus' text exposition format 0.0.4, as the node exporter's textfile collector takes them. Times are seconds since
// 1970, as its naming conventions have it: the days left are (… - time()) / 86400. A certificate's series have the labels user, serial and fingerprint;
// anaplan_certificate_info has the others.
func (inv *Inventory) Metrics(w io.Writer) error {
	var b strings.Builder
	each := func(name, help string, value func(c *Certificate) (labels []string, v int64)) {
		fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %s gauge\n", name, help, name)
		for i := range inv.Certificates {
			c := &inv.Certificates[i]
			if c.Report == nil {
				continue
			}
			more, v := value(c)
			fmt.Fprintf(&b, "%s{%s} %d\n", name, labels(append([]string{"user", c.User, "serial", c.Serial, "fingerprint", c.Fingerprint}, more...)), v)
		}
	}
	each("anaplan_certificate_not_after_timestamp_seconds", "End of the certificate, as seconds since 1970; days left: (this - time()) / 86400.",
		func(c *Certificate) ([]string, int64) { return nil, c.NotAfter.Unix() })
	each("anaplan_certificate_not_before_timestamp_seconds", "Begin of the certificate, as seconds since 1970.",
		func(c *Certificate) ([]string, int64) { return nil, c.NotBefore.Unix() })
	each("anaplan_certificate_usable", "1 if no problem with the certificate, its key and its connections is known.",
		func(c *Certificate) ([]string, int64) { return nil, bit(c.Usable && c.State != Refused) })
	each("anaplan_certificate_replaced", "1 if another certificate of the user, which ends later, is in place: alert on those with 0.",
		func(c *Certificate) ([]string, int64) { return nil, bit(c.State == Replaced) })
	each("anaplan_certificate_jobs", "Jobs that use the certificate, as far as jobs were looked at.",
		func(c *Certificate) ([]string, int64) { return nil, int64(len(c.Jobs)) })
	each("anaplan_certificate_info", "What else is known of the certificate; always 1.", func(c *Certificate) ([]string, int64) {
		return []string{"connection", c.Connection, "file", c.File, "issuer", c.Issuer, "owner", c.Owner, "state", string(c.State)}, 1
	})
	unread := 0
	for i := range inv.Certificates {
		if inv.Certificates[i].State == Unreadable {
			unread++
		}
	}
	one := func(name, help string, v int64) {
		fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %s gauge\n%s %d\n", name, help, name, name, v)
	}
	one("anaplan_certificates", "Certificates found.", int64(inv.Summary.Certificates))
	one("anaplan_certificates_failing", "Certificates, and places where one should be, that no login can succeed with.", int64(inv.Summary.Failing))
	one("anaplan_certificates_unreadable", "Places where a certificate should be and cannot be read.", int64(unread))
	one("anaplan_certificates_check_timestamp_seconds", "When the certificates were looked at, as seconds since 1970.", inv.At.Unix())
	_, err := io.WriteString(w, b.String())
	return err
}

func bit(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

var labelEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

func labels(pairs []string) string {
	var all []string
	for i := 0; i+1 < len(pairs); i += 2 {
		all = append(all, pairs[i]+`="`+labelEscapes.Replace(strings.ToValidUTF8(pairs[i+1], "?"))+`"`)
	}
	return strings.Join(all, ",")
}
