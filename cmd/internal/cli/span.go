package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
)

// span is the value of a flag for a length of time, which may be in days: 60d, 36h, 90m.
type span time.Duration

// Set implements cli.Generic.
func (s *span) Set(text string) error {
	d, err := parseSpan(text)
	if err != nil {
		return err
	}
	*s = span(d)
	return nil
}

func (s *span) String() string {
	const day = span(24 * time.Hour)
	switch {
	case *s == 0:
		return ""
	case *s%day == 0:
		return fmt.Sprintf("%dd", *s/day)
	}
	return time.Duration(*s).String()
}

func parseSpan(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseFloat(days, 64)
		if err != nil || n < 0 || n > 36500 {
			return 0, fmt.Errorf("%q is no length of time; write it like 60d, 36h or 90m", text)
		}
		return time.Duration(n * 24 * float64(time.Hour)), nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%q is no length of time; write it like 60d, 36h or 90m", text)
	}
	return d, nil
}

// spanFlag is a flag for a length of time.
func spanFlag(name string, value time.Duration, usage, category string) cli.Flag {
	v := span(value)
	return &cli.GenericFlag{Name: name, Value: &v, Usage: usage, Category: category}
}

// length is its value.
func length(c *cli.Context, name string) time.Duration {
	if s, ok := c.Generic(name).(*span); ok {
		return time.Duration(*s)
	}
	return 0
}
