package webconferencing_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	wc "github.com/webconferencing/webconferencing"
)

// output is a buffer that a log handler and a test share.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

// take returns what was written since the last time.
func (o *output) take() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := o.buf.String()
	o.buf.Reset()
	return s
}

func newLog(t *testing.T, out *output, o wc.CallLogOptions) *wc.CallLog {
	t.Helper()
	o.Handler = slog.NewTextHandler(out, &slog.HandlerOptions{
		Level: slog.LevelDebug,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	})
	l, err := wc.NewCallLog(&o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func ExampleCallLog() {
	l, err := wc.NewCallLog(&wc.CallLogOptions{Handler: slog.DiscardHandler})
	if err != nil {
		panic(err)
	}
	err = l.Add(wc.Actor{User: "peter", Client: "637565"}, wc.LogEntry{
		Provider: "myconnector", Prefix: "call", Level: "info", Message: "Starting call: mary@peter",
		Timestamp: time.Date(2018, 3, 21, 16, 5, 39, 546e6, time.UTC),
	})
	fmt.Println(err)
	l.Flush(context.Background())
	// Output: <nil>
}

func TestCallLogLines(t *testing.T) {
	at := time.Date(2018, 3, 21, 16, 5, 39, 546e6, time.UTC)
	peter := wc.Actor{User: "peter", Client: "637565"}
	const end = " -- 2018-03-21T16:05:39.546Z"
	for _, tt := range []struct {
		e    wc.LogEntry
		want string
	}{
		{wc.LogEntry{Provider: "myconnector", Prefix: "call", Message: "Starting call: mary@peter"}, "[myconnector.call] peter-637565 Starting call: mary@peter" + end},
		{wc.LogEntry{Provider: "myconnector", Message: "x"}, "[myconnector] peter-637565 x" + end},
		{wc.LogEntry{Prefix: "call", Message: "x"}, "[call] peter-637565 x" + end},
		{wc.LogEntry{Message: "x"}, "peter-637565 x" + end},
		{wc.LogEntry{Message: " "}, "peter-637565 <no data>" + end},
		{wc.LogEntry{Message: "a\r\nlevel=ERROR msg=forged\x1b[31m\u2028\u202eb"}, `peter-637565 a\\u000d\\u000alevel=ERROR msg=forged\\u001b[31m\\u2028\\u202eb` + end},
		{wc.LogEntry{Message: strings.Repeat("ä", 10239)}, "peter-637565 " + strings.Repeat("ä", 10239) + end},
		{wc.LogEntry{Message: strings.Repeat("ä", 10240)}, "peter-637565 " + strings.Repeat("ä", 10237) + "..." + end},
		{wc.LogEntry{Message: "%s%n ${jndi:x} <script>"}, "peter-637565 %s%n ${jndi:x} <script>" + end},
	} {
		var out output
		l := newLog(t, &out, wc.CallLogOptions{})
		tt.e.Level, tt.e.Timestamp = "info", at
		if err := l.Add(peter, tt.e); err != nil {
			t.Fatal(err)
		}
		l.Flush(t.Context())
		want := `level=INFO msg="` + tt.want + `" logger=CallLog`
		if got := out.take(); !strings.HasPrefix(got, want) || strings.Count(got, "\n") != 1 {
			t.Errorf("line is %.300q\nwant      %.300q", got, want)
		}
	}
}

func TestCallLogAttributesAndLevels(t *testing.T) {
	var out output
	l := newLog(t, &out, wc.CallLogOptions{})
	for _, level := range []string{"debug", "info", "warn", "error", "trace"} {
		if err := l.Add(mary, wc.LogEntry{Provider: "webrtc", Prefix: "call", Level: level, Message: level, CallID: "p/a"}); err != nil {
			t.Fatal(err)
		}
	}
	wantCode(t, l.Add(mary, wc.LogEntry{Level: "fatal", Message: "x"}), wc.CodeInvalid)
	wantCode(t, l.Add(mary, wc.LogEntry{Level: "info", Prefix: strings.Repeat("p", 256)}), wc.CodeInvalid)
	l.Flush(t.Context())
	got := out.take()
	for _, want := range []string{
		"level=DEBUG", "level=INFO", "level=WARN", "level=ERROR",
		"provider=webrtc", "prefix=call", "user=mary", "client=m1", "callId=p/a",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in %s", want, got)
		}
	}
	if strings.Contains(got, "trace") {
		t.Error("trace was written")
	}
}

// Entries wait to be put in order: until more than 50 wait, or the oldest is
// a minute old, or the end.
func TestCallLogOrderAndFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out output
		l := newLog(t, &out, wc.CallLogOptions{})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- l.Run(ctx) }()
		start := time.Now()
		add := func(n int) {
			if err := l.Add(mary, wc.LogEntry{Level: "info", Message: fmt.Sprintf("n%03d", n), Timestamp: start.Add(time.Duration(n) * time.Millisecond)}); err != nil {
				t.Error(err)
			}
		}
		for i := range 50 {
			add(49 - i)
		}
		time.Sleep(59 * time.Second)
		synctest.Wait()
		if early := out.take(); early != "" {
			t.Errorf("written early: %s", early)
		}
		time.Sleep(22 * time.Second)
		synctest.Wait()
		inOrder(t, out.take(), 50)
		for i := range 51 {
			add(50 - i)
		}
		synctest.Wait()
		inOrder(t, out.take(), 51)
		add(1)
		add(0)
		cancel()
		<-done
		inOrder(t, out.take(), 2)
	})
}

func inOrder(t *testing.T, out string, n int) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != n {
		t.Fatalf("%d lines, want %d", len(lines), n)
	}
	for i, line := range lines {
		if want := fmt.Sprintf("n%03d", i); !strings.Contains(line, want) {
			t.Fatalf("line %d is %q, want %s", i, line, want)
		}
	}
}

func TestCallLogFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out output
		l := newLog(t, &out, wc.CallLogOptions{Rate: 10, Burst: 20})
		limited := 0
		for range 100 {
			if err := l.Add(mary, wc.LogEntry{Level: "info", Message: "flood"}); err != nil {
				wantCode(t, err, wc.CodeLimited)
				limited++
			}
		}
		if err := l.Add(john, wc.LogEntry{Level: "info", Message: "other"}); err != nil {
			t.Errorf("another client pays for the flood: %v", err)
		}
		l.Flush(t.Context())
		if got := out.take(); limited != 80 || strings.Count(got, "flood") != 20 || !strings.Contains(got, "dropped=80") {
			t.Errorf("%d refused; log: %s", limited, got)
		}
		time.Sleep(time.Second)
		for range 10 {
			if err := l.Add(mary, wc.LogEntry{Level: "info", Message: "again"}); err != nil {
				t.Errorf("after a second: %v", err)
			}
		}
	})
}
