package configs

import (
	"fmt"
	"strings"
	"time"
)

// dateLetters are the letters that may follow % in the format of a date, as in strftime
// and with its meaning in the C locale: names are English, as Anaplan writes its periods.
const dateLetters = "YymdbBaAjeHMS%"

// checkFormat returns what is wrong with a format, nil when nothing is.
func checkFormat(format string) *fault {
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			continue
		}
		i++
		if i == len(format) {
			return &fault{"the format ends with %", "write %% for a literal %"}
		}
		if strings.IndexByte(dateLetters, format[i]) < 0 {
			letter := []rune(format[i:])[0]
			return &fault{fmt.Sprintf("%%%c is no letter of a date's format", letter), "there are %Y %y %m %d %e %b %B %a %A %j %H %M %S and %%"}
		}
	}
	return nil
}

// shiftDate moves a date, by one shift after the other. A month that is too short for the
// day gives its last day: 31 March minus one month is 28 or 29 February.
func shiftDate(t time.Time, shifts []shift, free holidays) time.Time {
	y, m, d := t.Date()
	// In UTC, where every day has all of its hours.
	t = time.Date(y, m, d, t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
	for _, s := range shifts {
		switch s.unit {
		case "d":
			t = t.AddDate(0, 0, s.by)
			continue
		case "bd":
			t = free.shift(t, s.by)
			continue
		}
		y, m, d := t.Date()
		last := time.Date(y, m+time.Month(s.by)+1, 0, 0, 0, 0, 0, time.UTC).Day()
		t = time.Date(y, m+time.Month(s.by), min(d, last), t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
	}
	return t
}

// formatDate writes t in a format that checkFormat accepts; the empty one is %Y-%m-%d.
func formatDate(t time.Time, format string) string {
	if format == "" {
		return t.Format(time.DateOnly)
	}
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			b.WriteByte(format[i])
			continue
		}
		i++
		switch format[i] {
		case 'Y':
			fmt.Fprintf(&b, "%04d", t.Year())
		case 'y':
			fmt.Fprintf(&b, "%02d", t.Year()%100)
		case 'm':
			fmt.Fprintf(&b, "%02d", int(t.Month()))
		case 'd':
			fmt.Fprintf(&b, "%02d", t.Day())
		case 'e': // padded with a blank in C; here without, since a blank in a file name helps nobody
			fmt.Fprintf(&b, "%d", t.Day())
		case 'b':
			b.WriteString(t.Month().String()[:3])
		case 'B':
			b.WriteString(t.Month().String())
		case 'a':
			b.WriteString(t.Weekday().String()[:3])
		case 'A':
			b.WriteString(t.Weekday().String())
		case 'j':
			fmt.Fprintf(&b, "%03d", t.YearDay())
		case 'H':
			fmt.Fprintf(&b, "%02d", t.Hour())
		case 'M':
			fmt.Fprintf(&b, "%02d", t.Minute())
		case 'S':
			fmt.Fprintf(&b, "%02d", t.Second())
		default:
			b.WriteByte(format[i])
		}
	}
	return b.String()
}
