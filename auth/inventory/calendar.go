package inventory

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"
)

// alarms are the days before the end on which a calendar reminds.
var alarms = []int{60, 30, 14, 7}

// Calendar writes an iCalendar (RFC 5545) with an event of a whole day, in UTC, for the end of each certificate, and alarms 60, 30, 14 and 7 days
// before. An event's UID is made from the fingerprint: a calendar that is imported again is brought up to date.
func (inv *Inventory) Calendar(w io.Writer) error {
	var b strings.Builder
	line := func(format string, args ...any) { fold(&b, fmt.Sprintf(format, args...)) }
	line("BEGIN:VCALENDAR")
	line("VERSION:2.0")
	line("PRODID:-//anaplan-runner//auth check//EN")
	line("CALSCALE:GREGORIAN")
	line("METHOD:PUBLISH")
	for i := range inv.Certificates {
		c := &inv.Certificates[i]
		if c.Report == nil {
			continue
		}
		end := c.NotAfter.UTC()
		line("BEGIN:VEVENT")
		line("UID:%s@anaplan-runner", c.Fingerprint)
		line("DTSTAMP:%s", inv.At.UTC().Format("20060102T150405Z"))
		line("DTSTART;VALUE=DATE:%s", end.Format("20060102"))
		line("DTEND;VALUE=DATE:%s", end.AddDate(0, 0, 1).Format("20060102"))
		summary := "Anaplan certificate of " + c.User + " ends"
		line("SUMMARY:%s", escape(summary))
		line("DESCRIPTION:%s", escape(c.description()))
		line("CATEGORIES:Certificates")
		line("TRANSP:TRANSPARENT")
		if c.State != Replaced {
			for _, days := range alarms {
				line("BEGIN:VALARM")
				line("ACTION:DISPLAY")
				line("TRIGGER:-P%dD", days)
				line("DESCRIPTION:%s", escape(fmt.Sprintf("%s in %d days", summary, days)))
				line("END:VALARM")
			}
		}
		line("END:VEVENT")
	}
	line("END:VCALENDAR")
	_, err := io.WriteString(w, b.String())
	return err
}

// description is what an event tells besides.
func (c *Certificate) description() string {
	lines := []string{"State: " + string(c.State), "Ends: " + c.NotAfter.UTC().Format(time.RFC3339), "Serial: " + c.Serial, "Issuer: " + c.Issuer}
	for _, p := range c.Places {
		lines = append(lines, "Found: "+strings.TrimSpace(p.Connection+" "+p.where()))
	}
	for _, more := range []struct{ name, text string }{{"Jobs", strings.Join(c.Jobs, ", ")}, {"Owner", c.Owner}, {"Note", c.Note}, {"To do", c.Todo}} {
		if more.text != "" {
			lines = append(lines, more.name+": "+more.text)
		}
	}
	return strings.Join(lines, "\n")
}

var textEscapes = strings.NewReplacer(`\`, `\\`, ";", `\;`, ",", `\,`, "\n", `\n`)

// escape is TEXT of RFC 5545 3.3.11.
func escape(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' || r == 0x7f {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	return textEscapes.Replace(s)
}

// fold writes a line in pieces of at most 75 bytes (RFC 5545 3.1), none of which breaks a character.
func fold(b *strings.Builder, s string) {
	for room := 75; len(s) > room; room = 74 {
		n := room
		for !utf8.RuneStart(s[n]) {
			n--
		}
		b.WriteString(s[:n] + "\r\n ")
		s = s[n:]
	}
	b.WriteString(s + "\r\n")
}
