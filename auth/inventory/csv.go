package inventory

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"
	"time"
)

// CSV writes a line for each certificate (RFC 4180, UTF-8, lines end with CRLF), with a head. A text that a spreadsheet would take for a formula has a
// ' before it.
func (inv *Inventory) CSV(w io.Writer) error {
	out := csv.NewWriter(w)
	out.UseCRLF = true
	head := []string{"user", "state", "ends", "days_left", "connections", "jobs", "owner", "note", "key", "problem", "todo", "successor_ends", "successor_in_place",
		"subject", "issuer", "serial", "begins", "bits", "warnings", "files", "fingerprint_sha256"}
	if err := out.Write(head); err != nil {
		return err
	}
	for i := range inv.Certificates {
		if err := out.Write(inv.Certificates[i].cells()); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

func (c *Certificate) cells() []string {
	var connections, files []string
	for _, p := range c.Places {
		files = append(files, p.where())
		if p.Connection != "" {
			connections = append(connections, p.Connection)
		}
	}
	list := func(all []string) string { return defuse(strings.Join(all, "; ")) }
	row := []string{defuse(c.User), string(c.State), "", "", list(connections), list(c.Jobs), defuse(c.Owner), defuse(c.Note), string(c.Key), defuse(c.Problem), defuse(c.Todo), "", "",
		"", "", "", "", "", "", list(files), ""}
	if c.Report == nil {
		return row
	}
	row[2], row[3] = c.NotAfter.Format(time.RFC3339), strconv.Itoa(c.DaysLeft)
	if s := c.Successor; s != nil {
		row[11], row[12] = s.NotAfter.Format(time.RFC3339), strconv.FormatBool(s.InPlace)
	}
	row[13], row[14], row[15], row[16], row[17] = defuse(c.Subject), defuse(c.Issuer), defuse(c.Serial), c.NotBefore.Format(time.RFC3339), strconv.Itoa(c.Bits)
	row[18], row[20] = list(c.Warnings), c.Fingerprint
	return row
}

// where is the file, with the entry of a key store.
func (p Place) where() string {
	if p.Alias != "" {
		return p.File + " (" + p.Alias + ")"
	}
	return p.File
}

// defuse keeps spreadsheets from calculating what stands in a certificate.
func defuse(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r\n", rune(s[0])) {
		return "'" + s
	}
	return s
}
