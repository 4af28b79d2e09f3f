// Command bayeux runs a Bayeux server that is open to everybody, with a small
// chat page. It shows how to mount the library, and serves as the other end for
// conformance and load tests; do not put it on the internet.
//
//	go run ./examples/bayeux -addr 127.0.0.1:8081
//
// The chat is at /, Bayeux at /cometd. Every broadcast channel is open; the
// remote call "echo" answers with its own data.
package main

import (
	"cmp"
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
	timeout  time.Duration
	life     time.Duration
	trust    bool
}

func parse(args []string) (config, error) {
	var c config
	flags := flag.NewFlagSet("bayeux", flag.ContinueOnError)
	flags.StringVar(&c.addr, "addr", "127.0.0.1:8081", "address to listen on")
	flags.IntVar(&c.sessions, "max-sessions", 20_000, "most sessions at once")
	flags.IntVar(&c.queue, "max-queue", 1000, "most messages waiting for one session")
	flags.IntVar(&c.rate, "rate", 0, "messages a second that one session may send; 0 switches all rate limits off")
	flags.DurationVar(&c.timeout, "timeout", 30*time.Second, "how long a connect is held")
	flags.DurationVar(&c.life, "max-interval", 10*time.Second, "how long a session lives without a connect")
	flags.BoolVar(&c.trust, "trust-session", false, "accept sessions without their browser cookie")
	return c, flags.Parse(args)
}

func run(ctx context.Context, args []string) error {
	c, err := parse(args)
	if err != nil {
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
	history, err := bayeux.NewMemoryHistory(&bayeux.MemoryHistoryOptions{MaxMessages: min(500, c.queue)})
	if err != nil {
		return nil, err
	}
	options := &bayeux.Options{
		MaxSessions: c.sessions, MaxQueue: c.queue, Timeout: c.timeout, MaxInterval: c.life,
		MaxMessageRate: cmp.Or(c.rate, bayeux.Unlimited), TrustClientSession: c.trust,
		History: replayed{history}, Logger: log,
	}
	if c.rate == 0 {
		options.MaxHandshakesPerAddress = bayeux.Unlimited
		options.MaxUnknownPerAddress = bayeux.Unlimited
		options.MaxConnectsPerBrowser = bayeux.Unlimited
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
