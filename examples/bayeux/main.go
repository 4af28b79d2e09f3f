// Command bayeux runs a Bayeux server that is open to everybody, with a small
// chat page. It shows how to mount the library, and serves as the other end for
// conformance and load tests; do not put it on the internet.
//
//	go run ./examples/bayeux -addr 127.0.0.1:8081
//
// The chat is at /, Bayeux at /cometd. Every broadcast channel is open; the
// remote call "echo" answers with its own data. Acknowledgement, replay and
// timesync are on. Replay works on every channel: the newest messages are kept,
// and once a client has subscribed with ext.replay those that follow have their
// id in data.event.replayId.
//
// The limits are those of the library, but for the flags: see -help.
package main

import (
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/webconferencing/webconferencing/httpapi/bayeux"
)

//go:embed chat.html
var chatPage []byte

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

type config struct {
	addr     string
	sessions int
	queue    int
	rate     int
	connects int
	timeout  time.Duration
	life     time.Duration
	trust    bool
}

func parse(args []string) (config, error) {
	var c config
	flags := flag.NewFlagSet("bayeux", flag.ContinueOnError)
	flags.StringVar(&c.addr, "addr", "127.0.0.1:8081", "address to listen on")
	flags.IntVar(&c.sessions, "max-sessions", 20_000, "most sessions at once")
	flags.IntVar(&c.queue, "max-queue", 1000, "most messages waiting for one session; one with more is ended")
	flags.IntVar(&c.rate, "rate", 0, "messages a second of one session, ten times as many at once, and handshakes a second of one address, five times as many at once; 0 switches all rate limits off")
	flags.IntVar(&c.connects, "max-connects", 4, "most connects held at once for one browser over HTTP/1; -1 switches the limit off")
	flags.DurationVar(&c.timeout, "timeout", 30*time.Second, "how long a connect is held")
	flags.DurationVar(&c.life, "max-interval", 10*time.Second, "how long a session lives without a connect")
	flags.BoolVar(&c.trust, "trust-session", false, "accept sessions without their browser cookie")
	if err := flags.Parse(args); err != nil {
		return c, err
	}
	if c.rate < 0 || c.rate > mostRate {
		return c, fmt.Errorf("-rate must be from 0 to %d, is %d", mostRate, c.rate)
	}
	return c, nil
}

const mostRate = 1_000_000

func run(ctx context.Context, args []string) error {
	c, err := parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return nil
	case err != nil:
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	server, err := newServer(c, log)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/cometd", server)
	mux.Handle("/cometd/", server)
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		_, _ = w.Write(chatPage) // a browser that is gone does not mind
	})
	listener, err := net.Listen("tcp", c.addr)
	if err != nil {
		return err
	}
	log.Info("listening", "url", "http://"+listener.Addr().String()+"/")
	web := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- web.Serve(listener) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	const grace = 10 * time.Second
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	return errors.Join(server.Shutdown(stop), web.Shutdown(stop))
}

// newServer makes a server with everything switched on.
func newServer(c config, log *slog.Logger) (*bayeux.Server, error) {
	history, err := newReplayed()
	if err != nil {
		return nil, err
	}
	const typical = 1 << 10 // bytes of a message
	options := &bayeux.Options{
		MaxSessions: c.sessions, MaxQueue: c.queue, MaxQueueBytes: min(max(1<<20, typical*c.queue), 1<<30),
		Timeout: c.timeout, MaxInterval: c.life, MaxConnectsPerBrowser: c.connects, TrustClientSession: c.trust,
		MaxMessageRate: c.rate, MaxMessageBurst: 10 * c.rate, MaxHandshakesPerAddress: c.rate, ClientAddr: clientAddr,
		History: history, OnSubscribe: history.subscribed, Logger: log,
	}
	if c.rate == 0 {
		options.MaxMessageRate, options.MaxHandshakesPerAddress = bayeux.Unlimited, bayeux.Unlimited
		options.MaxUnknownPerAddress = bayeux.Unlimited
	}
	server, err := bayeux.New(options)
	if err != nil {
		return nil, err
	}
	err = server.HandleService("/service/echo", func(_ context.Context, _ *bayeux.Session, r *bayeux.Request) {
		if err := r.Reply(r.Data); err != nil {
			log.Debug("echo", "error", err)
		}
	})
	return server, err
}

// clientAddr limits clients on the same machine too, which the library takes for
// a proxy.
func clientAddr(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
