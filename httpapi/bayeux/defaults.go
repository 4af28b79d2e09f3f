package bayeux

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// withDefaults returns a filled copy.
func (o *Options) withDefaults() Options {
	var c Options
	if o != nil {
		c = *o
	}
	c.AllowAnonymous = c.AllowAnonymous || c.Authenticate == nil
	c.ReauthenticateEvery = cmp.Or(c.ReauthenticateEvery, 10*time.Second)
	c.Timeout = cmp.Or(c.Timeout, 30*time.Second)
	c.MaxInterval = cmp.Or(c.MaxInterval, 10*time.Second)
	c.MaxTimeout = cmp.Or(c.MaxTimeout, max(c.Timeout, time.Minute))
	c.MaxClientInterval = cmp.Or(c.MaxClientInterval, max(c.Interval, time.Minute))
	c.CallTimeout = cmp.Or(c.CallTimeout, 5*time.Second)
	c.ShutdownGrace = cmp.Or(c.ShutdownGrace, 2*time.Second)
	c.MaxCalls = cmp.Or(c.MaxCalls, 4)
	c.MaxPendingCalls = cmp.Or(c.MaxPendingCalls, 64)
	c.MaxMessageBytes = cmp.Or(c.MaxMessageBytes, 64<<10)
	c.MaxBatch = cmp.Or(c.MaxBatch, 64)
	c.MaxDepth = cmp.Or(c.MaxDepth, 32)
	c.MaxTokens = cmp.Or(c.MaxTokens, 4096)
	c.MaxChannelBytes = cmp.Or(c.MaxChannelBytes, 255)
	c.MaxChannelSegments = cmp.Or(c.MaxChannelSegments, 8)
	c.MaxMessageRate = cmp.Or(c.MaxMessageRate, 100)
	c.MaxMessageBurst = cmp.Or(c.MaxMessageBurst, 1000)
	c.MaxHandshakesPerAddress = cmp.Or(c.MaxHandshakesPerAddress, 20)
	c.MaxHandshakesPerUser = cmp.Or(c.MaxHandshakesPerUser, 5)
	c.MaxUnknownPerAddress = cmp.Or(c.MaxUnknownPerAddress, 600)
	c.MaxSessionsPerAddress = cmp.Or(c.MaxSessionsPerAddress, Unlimited)
	c.MaxSocketsPerAddress = cmp.Or(c.MaxSocketsPerAddress, Unlimited)
	c.MaxConnectsPerBrowser = cmp.Or(c.MaxConnectsPerBrowser, 4)
	c.MaxConnectsPerBrowserHTTP2 = cmp.Or(c.MaxConnectsPerBrowserHTTP2, Unlimited)
	c.MultiSessionInterval = cmp.Or(c.MultiSessionInterval, 2*time.Second)
	c.MaxSubscriptions = cmp.Or(c.MaxSubscriptions, 128)
	c.MaxSubscriptionsPerRequest = cmp.Or(c.MaxSubscriptionsPerRequest, 32)
	c.MaxSessions = cmp.Or(c.MaxSessions, 10_000)
	c.MaxSessionsPerUser = cmp.Or(c.MaxSessionsPerUser, 16)
	c.MaxQueue = cmp.Or(c.MaxQueue, 1000)
	c.MaxQueueBytes = cmp.Or(c.MaxQueueBytes, 1<<20)
	c.MaxResponseBytes = cmp.Or(c.MaxResponseBytes, 256<<10)
	c.BodyTimeout = cmp.Or(c.BodyTimeout, 10*time.Second)
	c.WriteTimeout = cmp.Or(c.WriteTimeout, 5*time.Second)
	c.PingEvery = cmp.Or(c.PingEvery, 25*time.Second)
	c.PingTimeout = cmp.Or(c.PingTimeout, 10*time.Second)
	c.DuplicateConnectStatus = cmp.Or(c.DuplicateConnectStatus, http.StatusInternalServerError)
	c.Cookie.Name = cmp.Or(c.Cookie.Name, "BAYEUX_BROWSER")
	c.Cookie.Path = cmp.Or(c.Cookie.Path, "/")
	if c.Cookie.SameSite == 0 && c.Cookie.Partitioned {
		c.Cookie.SameSite = http.SameSiteNoneMode
	}
	c.Cookie.SameSite = cmp.Or(c.Cookie.SameSite, http.SameSiteLaxMode)
	if c.PanicData == nil {
		c.PanicData = json.RawMessage(`{"code":"SERVER_ERROR","message":"The request failed.","error":true}`)
	}
	if c.RelayExt == nil {
		c.RelayExt = []string{"binary"}
	}
	c.RelayExt = append([]string(nil), c.RelayExt...)
	c.PrivateFields = append([]string(nil), c.PrivateFields...)
	c.AllowedOrigins = slices.Clone(c.AllowedOrigins)
	for i, origin := range c.AllowedOrigins {
		c.AllowedOrigins[i] = asSent(origin)
	}
	c.AllowedHeaders = append([]string(nil), c.AllowedHeaders...)
	c.Channels = slices.Clone(c.Channels)
	if c.ClientAddr == nil {
		c.ClientAddr = remoteAddr
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	c.Logger = guardLogger(c.Logger)
	return c
}

// validate reports everything that is wrong with filled options.
func (o *Options) validate() error {
	var faults []error
	fault := func(field, format string, args ...any) {
		faults = append(faults, fmt.Errorf("bayeux: Options.%s "+format, append([]any{field}, args...)...))
	}
	for _, d := range o.durations() {
		if d.value < 0 || d.value == 0 && !d.mayBeZero {
			fault(d.name, "must be positive, is %v", d.value)
		}
	}
	for _, n := range o.counts() {
		if n.value < n.least || n.value > n.most {
			fault(n.name, "must be from %d to %d, is %d", n.least, n.most, n.value)
		}
	}
	for _, n := range o.rates() {
		if n.value < 1 && n.value != Unlimited {
			fault(n.name, "must be positive or Unlimited, is %d", n.value)
		}
	}
	for i := range o.Channels {
		if err := o.Channels[i].validate(o); err != nil {
			fault("Channels", "[%d]: %w", i, err)
		}
	}
	if o.MaxTimeout < o.Timeout {
		fault("MaxTimeout", "must not be below Timeout")
	}
	for _, origin := range o.AllowedOrigins {
		u, err := url.Parse(origin)
		if err != nil || u.Scheme == "" || u.Host == "" || u.Scheme+"://"+u.Host != origin || strings.Contains(origin, "*") {
			fault("AllowedOrigins", "holds %q, which is not of the form scheme://host[:port]", origin)
		}
	}
	if err := o.Cookie.validate(); err != nil {
		fault("Cookie", "%w", err)
	}
	for _, name := range o.AllowedHeaders {
		if !isHeaderName(name) {
			fault("AllowedHeaders", "holds %q, which is no name of a header", name)
		}
	}
	if err := checkJSON(o.PanicData, o.MaxDepth, o.MaxTokens); err != nil {
		fault("PanicData", "must be valid JSON")
	}
	if o.DisableLongPolling && o.DisableWebSocket {
		fault("DisableLongPolling", "and DisableWebSocket must not both be set")
	}
	return errors.Join(faults...)
}

// isHeaderName accepts the names that headers have in practice.
func isHeaderName(name string) bool {
	for i := range len(name) {
		switch c := name[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return name != ""
}

type namedDuration struct {
	name      string
	value     time.Duration
	mayBeZero bool
}

func (o *Options) durations() []namedDuration {
	return []namedDuration{
		{"Interval", o.Interval, true}, {"MaxInactivity", o.MaxInactivity, true},
		{"MaxProcessing", o.MaxProcessing, true},
		{"ReauthenticateEvery", o.ReauthenticateEvery, false}, {"Timeout", o.Timeout, false},
		{"MaxInterval", o.MaxInterval, false}, {"MaxTimeout", o.MaxTimeout, false},
		{"MaxClientInterval", o.MaxClientInterval, false}, {"CallTimeout", o.CallTimeout, false},
		{"BodyTimeout", o.BodyTimeout, false}, {"WriteTimeout", o.WriteTimeout, false},
		{"PingEvery", o.PingEvery, false}, {"PingTimeout", o.PingTimeout, false},
	}
}

type namedCount struct {
	name               string
	value, least, most int
}

func (o *Options) rates() []namedCount {
	return []namedCount{
		{name: "MaxSessionsPerUser", value: o.MaxSessionsPerUser},
		{name: "MaxMessageRate", value: o.MaxMessageRate},
		{name: "MaxHandshakesPerAddress", value: o.MaxHandshakesPerAddress},
		{name: "MaxHandshakesPerUser", value: o.MaxHandshakesPerUser},
		{name: "MaxUnknownPerAddress", value: o.MaxUnknownPerAddress},
		{name: "MaxSessionsPerAddress", value: o.MaxSessionsPerAddress},
		{name: "MaxSocketsPerAddress", value: o.MaxSocketsPerAddress},
		{name: "MaxConnectsPerBrowser", value: o.MaxConnectsPerBrowser},
		{name: "MaxConnectsPerBrowserHTTP2", value: o.MaxConnectsPerBrowserHTTP2},
	}
}

func (o *Options) counts() []namedCount {
	return []namedCount{
		{"MaxCalls", o.MaxCalls, 1, 1024}, {"MaxPendingCalls", o.MaxPendingCalls, 1, 1 << 16},
		{"MaxMessageBytes", o.MaxMessageBytes, 64, 64 << 20}, {"MaxBatch", o.MaxBatch, 1, 1 << 16},
		{"MaxDepth", o.MaxDepth, 4, 1000}, {"MaxTokens", o.MaxTokens, 16, 1 << 24},
		{"MaxChannelBytes", o.MaxChannelBytes, 16, 4096}, {"MaxChannelSegments", o.MaxChannelSegments, 2, 256},
		{"MaxSubscriptions", o.MaxSubscriptions, 1, 1 << 20},
		{"MaxSubscriptionsPerRequest", o.MaxSubscriptionsPerRequest, 1, 1 << 16},
		{"MaxSessions", o.MaxSessions, 1, 1 << 24}, {"MessagesPerFrame", o.MessagesPerFrame, 0, 1 << 16}, {"MaxQueue", o.MaxQueue, 1, 1 << 24},
		{"MaxQueueBytes", o.MaxQueueBytes, 1024, 1 << 30}, {"MaxResponseBytes", o.MaxResponseBytes, 1024, 1 << 30},
		{"MaxMessageBurst", o.MaxMessageBurst, 1, 1 << 24},
		{"DuplicateConnectStatus", o.DuplicateConnectStatus, 400, 599},
	}
}
