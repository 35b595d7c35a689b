package cli

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/urfave/cli/v2"
)

// logFlags choose what is told on stderr while a command works.
func logFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "log-format", Value: "text", Usage: "form of the lines on stderr: text or json", Category: "Output:",
			Action: func(_ *cli.Context, v string) error {
				if v != "text" && v != "json" {
					return usage("write --log-format text or --log-format json", "--log-format: %q is not a form of log lines", v)
				}
				return nil
			}},
		&cli.BoolFlag{Name: "debug", Usage: "tell each request (never headers or bodies)", Category: "Output:"},
		&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "tell only warnings and errors", Category: "Output:"},
	}
}

func newLog(w io.Writer) *logrus.Logger {
	l := logrus.New()
	l.SetOutput(w)
	l.SetFormatter(plain{})
	return l
}

// startLog sets the log as the flags say.
func (p *Program) startLog(c *cli.Context) {
	if c.String("log-format") == "json" {
		p.log.SetFormatter(&logrus.JSONFormatter{TimestampFormat: time.RFC3339})
	}
	switch {
	case c.Bool("debug"):
		p.log.SetLevel(logrus.DebugLevel)
	case c.Bool("quiet"):
		p.log.SetLevel(logrus.WarnLevel)
	}
}

// plain is the form of log lines for people and grep: time, level, [step], text. A text of
// several lines stays one line.
type plain struct{}

func (plain) Format(e *logrus.Entry) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(e.Time.Format(time.RFC3339))
	fmt.Fprintf(&b, " %-7s ", e.Level)
	if step, ok := e.Data["step"]; ok {
		fmt.Fprintf(&b, "[%v] ", step)
	}
	b.WriteString(strings.ReplaceAll(strings.TrimSpace(e.Message), "\n", " | "))
	b.WriteByte('\n')
	return b.Bytes(), nil
}
