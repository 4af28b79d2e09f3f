package webconferencing

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// The client log keeps these bounds.
const (
	logBuffer     = 50               // more waiting entries are written at once
	logAge        = 60 * time.Second // older entries are written ...
	logLook       = 20 * time.Second // ... when they are looked at, this often
	logMessage    = 10240            // longer messages are cut
	logMaxWaiting = 10000            // entries in memory, whatever happens
	logNoData     = "<no data>"
)

// CallLogOptions say where the clients' log goes and how much of it.
type CallLogOptions struct {
	// Handler writes the entries. Defaults to none.
	Handler slog.Handler
	// Rate is how many messages a second one user may send on average, from
	// all devices. Defaults to 50.
	Rate float64
	// Burst is how many messages a user may send at once. Defaults to 500.
	Burst int
}

// LogEntry is one message of a browser.
type LogEntry struct {
	Provider  string // 0 to 255 characters
	Prefix    string // 0 to 255 characters
	Level     string // trace, debug, info, warn or error
	Message   string
	Timestamp time.Time // by the client's clock
	CallID    CallID    // "" if none
	// Ref is the [Error].Ref that the message is about; "" if none. What
	// can't be a reference is dropped.
	Ref string
}

// CallLog collects what browsers report and writes it in the order of the
// clients' clocks, one line a message, under the logger name "CallLog":
//
//	[provider.prefix] user-client message -- timestamp
//
// Entries wait up to a minute so that they can be put in order. Control
// characters can't forge lines, a flood is cut and counted.
type CallLog struct {
	logger *slog.Logger
	rate   float64
	burst  float64

	mu      sync.Mutex
	waiting []logged
	oldest  time.Time // when the first waiting entry came
	senders map[UserID]*bucket
	wake    chan struct{}
}

type logSource struct {
	user   UserID
	client ClientID
}

type logged struct {
	LogEntry
	logSource
	level slog.Level
}

// bucket is a token bucket with a count of what did not fit.
type bucket struct {
	tokens  float64
	filled  time.Time
	dropped int
}

// NewCallLog returns an empty CallLog. It starts nothing; see [CallLog.Run].
func NewCallLog(opts *CallLogOptions) (*CallLog, error) {
	var o CallLogOptions
	if opts != nil {
		o = *opts
	}
	if o.Handler == nil {
		o.Handler = slog.DiscardHandler
	}
	o.Rate = cmp.Or(o.Rate, 50)
	o.Burst = cmp.Or(o.Burst, 500)
	var faults []error
	if o.Rate < 0 {
		faults = append(faults, fmt.Errorf("CallLogOptions.Rate is %v, less than 0", o.Rate))
	}
	if o.Burst < 0 {
		faults = append(faults, fmt.Errorf("CallLogOptions.Burst is %d, less than 0", o.Burst))
	}
	return &CallLog{
		logger: slog.New(o.Handler).With("logger", "CallLog"), rate: o.Rate, burst: float64(o.Burst),
		senders: make(map[UserID]*bucket), wake: make(chan struct{}, 1),
	}, errors.Join(faults...)
}

// Add takes a message of a user's client. It returns an [Error] with
// [CodeInvalid] for a message without sense and with [CodeLimited] for one too
// many; level trace is dropped without an error.
func (l *CallLog) Add(by Actor, e LogEntry) error {
	level, ok := logLevel(e.Level)
	if !ok {
		return invalid("level", "is none of trace, debug, info, warn, error")
	}
	if err := checkText("provider", e.Provider, 0, maxTitle); err != nil {
		return err
	}
	if err := checkText("prefix", e.Prefix, 0, maxTitle); err != nil {
		return err
	}
	if e.Level == "trace" {
		return nil
	}
	e.Message = cutMessage(e.Message)
	source := logSource{by.User, by.Client}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if !l.admit(by.User, now) {
		return &Error{Code: CodeLimited, Message: "too many log messages"}
	}
	if len(l.waiting) == 0 {
		l.oldest = now
	}
	l.waiting = append(l.waiting, logged{e, source, level})
	if len(l.waiting) > logBuffer {
		poke(l.wake)
	}
	return nil
}

// admit decides whether one more message of a user fits; l.mu is held. There
// are as many buckets as there are users who wrote lately.
func (l *CallLog) admit(user UserID, now time.Time) bool {
	b := l.senders[user]
	if b == nil {
		b = &bucket{tokens: l.burst, filled: now}
		l.senders[user] = b
	}
	b.tokens = min(l.burst, b.tokens+now.Sub(b.filled).Seconds()*l.rate)
	b.filled = now
	if b.tokens < 1 || len(l.waiting) >= logMaxWaiting {
		b.dropped++
		return false
	}
	b.tokens--
	return true
}

// Run writes entries as they become due until ctx ends, then all that wait.
func (l *CallLog) Run(ctx context.Context) error {
	ticker := time.NewTicker(logLook)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			l.Flush(context.WithoutCancel(ctx))
			return nil
		case <-l.wake:
			l.Flush(ctx)
		case <-ticker.C:
			l.mu.Lock()
			due := len(l.waiting) > 0 && time.Since(l.oldest) >= logAge
			l.mu.Unlock()
			if due {
				l.Flush(ctx)
			}
			l.forget(ctx)
		}
	}
}

// Flush writes all waiting entries, ordered by their timestamps.
func (l *CallLog) Flush(ctx context.Context) {
	l.mu.Lock()
	batch := l.waiting
	l.waiting = nil
	l.mu.Unlock()
	slices.SortStableFunc(batch, func(a, b logged) int { return a.Timestamp.Compare(b.Timestamp) })
	for i := range batch {
		l.write(ctx, &batch[i])
	}
	l.reportDropped(ctx)
}

func (l *CallLog) write(ctx context.Context, e *logged) {
	attrs := make([]slog.Attr, 0, 6)
	add := func(key, value string) {
		if value != "" {
			attrs = append(attrs, slog.String(key, oneLine(value)))
		}
	}
	add("provider", e.Provider)
	add("prefix", e.Prefix)
	add("user", string(e.user))
	add("client", string(e.client))
	add("callId", string(e.CallID))
	add("ref", cleanRef(e.Ref))
	l.logger.LogAttrs(ctx, e.level, e.line(), attrs...)
}

// line is the message in the form that people search for.
func (e *logged) line() string {
	var b strings.Builder
	if label := strings.Trim(e.Provider+"."+e.Prefix, "."); label != "" {
		b.WriteString("[" + oneLine(label) + "] ")
	}
	b.WriteString(oneLine(string(e.user)))
	if e.client != "" {
		b.WriteString("-" + oneLine(string(e.client)))
	}
	message := e.Message
	if strings.TrimSpace(message) == "" {
		message = logNoData
	}
	b.WriteString(" " + oneLine(message) + " -- " + e.Timestamp.UTC().Format("2006-01-02T15:04:05.000Z"))
	return b.String()
}

// reportDropped writes how many messages each user lost since the last
// report.
func (l *CallLog) reportDropped(ctx context.Context) {
	l.mu.Lock()
	dropped := make(map[UserID]int)
	for user, b := range l.senders {
		if b.dropped > 0 {
			dropped[user] = b.dropped
			b.dropped = 0
		}
	}
	l.mu.Unlock()
	for user, n := range dropped {
		l.logger.LogAttrs(ctx, slog.LevelWarn, "client log messages dropped",
			slog.Int("dropped", n), slog.String("user", oneLine(string(user))))
	}
}

// forget drops the buckets that have been quiet long enough to be full again.
func (l *CallLog) forget(ctx context.Context) {
	l.reportDropped(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	for user, b := range l.senders {
		if b.tokens+now.Sub(b.filled).Seconds()*l.rate >= l.burst {
			delete(l.senders, user)
		}
	}
}

func logLevel(word string) (slog.Level, bool) {
	switch word {
	case "error":
		return slog.LevelError, true
	case "warn":
		return slog.LevelWarn, true
	case "info", "":
		return slog.LevelInfo, true
	case "debug", "trace":
		return slog.LevelDebug, true
	}
	return 0, false
}

// cutMessage shortens a message that is too long, between two characters.
func cutMessage(m string) string {
	const mark = "..."
	if utf8.RuneCountInString(m) < logMessage {
		return m
	}
	n := 0
	for i := range m {
		if n == logMessage-len(mark) {
			return m[:i] + mark
		}
		n++
	}
	return m
}

// oneLine escapes everything that could break a log line or deceive its
// reader: control characters, line and paragraph separators, invisible
// direction marks and bytes that are no UTF-8.
func oneLine(s string) string {
	if !strings.ContainsFunc(s, deceptive) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if deceptive(r) {
			fmt.Fprintf(&b, `\u%04x`, r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

func deceptive(r rune) bool {
	switch {
	case r < 0x20, r >= 0x7f && r < 0xa0, r == utf8.RuneError:
		return true
	case r == 0x61c, r >= 0x200b && r <= 0x200f, r >= 0x2028 && r <= 0x202e, r >= 0x2060 && r <= 0x206f, r == 0xfeff:
		return true
	}
	return false
}

// LogClient takes a message of the acting user's browser for the client log.
// Providers that keep their log out of the server's are obeyed.
func (s *Service) LogClient(ctx context.Context, by Actor, e LogEntry) error {
	const op = "log"
	if err := validActor(by, false); err != nil {
		return s.wrap(ctx, by, op, err)
	}
	if p := s.registry.byType[e.Provider]; p != nil && p.info.NoLog {
		return nil
	}
	return s.wrap(ctx, by, op, s.calllog.Add(by, e))
}
