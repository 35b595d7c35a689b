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
				return oneOf("--log-format", v, "text", "json")
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

func jsonLines() logrus.Formatter { return &logrus.JSONFormatter{TimestampFormat: time.RFC3339} }

// startLog sets the log as the flags say.
func (p *Program) startLog(c *cli.Context) {
	if c.String("log-format") == "json" {
		p.log.SetFormatter(jsonLines())
	}
	switch {
	case c.Bool("debug"):
		p.log.SetLevel(logrus.DebugLevel)
	case c.Bool("quiet"):
		p.log.SetLevel(logrus.WarnLevel)
	}
}

// plain is the form of log lines for people and grep: time, level, [step], text. A text of
// several lines stays one line, and none moves the cursor.
type plain struct{}

func (plain) Format(e *logrus.Entry) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(e.Time.Format(time.RFC3339))
	fmt.Fprintf(&b, " %-7s ", e.Level)
	if step, ok := e.Data["step"]; ok {
		b.WriteString(printable(fmt.Sprintf("[%v] ", step)))
	}
	b.WriteString(printable(strings.ReplaceAll(strings.TrimSpace(e.Message), "\n", " | ")))
	b.WriteByte('\n')
	return b.Bytes(), nil
}
