// Command portal is a small portal with video calls: people, spaces, chat
// rooms and an administration page. It shows in a handful of files how a Go
// program embeds the webconferencing library:
//
//   - main.go wires everything together and shuts it down in order,
//   - directory.go tells the library who the people and groups are,
//   - auth.go signs people in and tells the library who makes a request,
//   - pages.go renders the pages; templates/ and static/ are what they look like,
//     texts/ is what they say.
//
// Run it with
//
//	go run ./examples/portal
//
// and open the URL that it prints in two browsers, signed in as two users.
// Browsers give camera and microphone only to secure pages: for other machines
// than this one, put a proxy with TLS in front, as examples/proxies does, and
// name it with -proxy.
package main

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/lmittmann/tint"

	"github.com/webconferencing/webconferencing"
	"github.com/webconferencing/webconferencing/connector/jitsi"
	"github.com/webconferencing/webconferencing/connector/link"
	"github.com/webconferencing/webconferencing/connector/webrtc"
	"github.com/webconferencing/webconferencing/httpapi"
	"github.com/webconferencing/webconferencing/httpapi/bayeux"
	"github.com/webconferencing/webconferencing/store/boltstore"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "portal:", strings.ReplaceAll(err.Error(), "\n", "; "))
		os.Exit(1)
	}
}

// config is what the command line decides.
type config struct {
	addr     string
	data     string
	logLevel slog.Level
	ring     time.Duration
	jitsi    string // address of a Jitsi Meet server, "" for none
	link     string // address of rooms elsewhere, "" for none
	proxies  []netip.Prefix
}

func parseFlags(args []string, stderr io.Writer) (config, error) {
	var c config
	flags := flag.NewFlagSet("portal", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&c.addr, "addr", "127.0.0.1:8080", "host:port to listen on")
	flags.StringVar(&c.data, "data", "", "`folder` for calls and keys (default: a folder in the user's cache)")
	flags.TextVar(&c.logLevel, "log-level", slog.LevelInfo, "debug, info, warn or error")
	flags.DurationVar(&c.ring, "ring", 45*time.Second, "how long a call rings")
	flags.StringVar(&c.jitsi, "jitsi", "", "also offer calls on the Jitsi Meet server at this `URL`")
	flags.StringVar(&c.link, "link", "", "also offer calls in rooms at this `URL`, such as https://meet.example.org/{room}")
	flags.Func("proxy", "`address` or network of a proxy in front that ends TLS, such as 127.0.0.1; it is believed who the clients are. May be repeated", func(text string) error {
		p, err := parseNetwork(text)
		c.proxies = append(c.proxies, p)
		return err
	})
	if err := flags.Parse(args); err != nil {
		return config{}, err
	}
	if flags.NArg() > 0 {
		return config{}, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if c.data == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return config{}, fmt.Errorf("no folder for the data, please give one with -data: %w", err)
		}
		c.data = filepath.Join(cache, "webconferencing-portal")
	}
	return c, nil
}

// parseNetwork reads a network, or an address as the network of it alone.
func parseNetwork(text string) (netip.Prefix, error) {
	if strings.Contains(text, "/") {
		return netip.ParsePrefix(text)
	}
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{}, err
	}
	return netip.PrefixFrom(addr, addr.BitLen()), nil
}

// run is the portal from start to end; it returns when ctx is done and
// everything has been shut down.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	cfg, err := parseFlags(args, stderr)
	if err != nil {
		return err
	}
	logger := slog.New(tint.NewTextHandler(stderr, &tint.Options{Level: cfg.logLevel, TimeFormat: time.TimeOnly}))

	listener, err := net.Listen("tcp", cfg.addr)
	if err != nil {
		return fmt.Errorf("can't listen: %w", err)
	}
	defer listener.Close() // for the early returns; the server closes it otherwise

	if err := os.MkdirAll(cfg.data, 0o700); err != nil {
		return fmt.Errorf("can't create the data folder: %w", err)
	}
	store, err := boltstore.Open(filepath.Join(cfg.data, "calls.db"), &boltstore.Options{Logger: logger})
	if errors.Is(err, boltstore.ErrLocked) {
		return fmt.Errorf("another portal is running on the data in %s", cfg.data)
	}
	if err != nil {
		return fmt.Errorf("can't open the data: %w", err)
	}
	// The store is closed last: until then somebody may still write to it.
	defer func() { err = errors.Join(err, store.Close()) }()

	key, err := loadKey(filepath.Join(cfg.data, "session.key"))
	if err != nil {
		return err
	}
	people := newDirectory()
	auth := newAuth(people, key, cfg.proxies...)

	svc, api, err := newCalls(store, people, auth, key, cfg, logger)
	if err != nil {
		return err
	}
	pages, err := newPages(people, auth, svc, logger)
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler:           routes(api, pages),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}
	printBanner(stdout, listener.Addr(), people, cfg.data)
	return serve(ctx, server, listener, svc, api)
}

// newCalls is the part that your own portal needs too: a provider, the
// service, and the HTTP handlers in front of it.
func newCalls(store webconferencing.Store, people *directory, auth *auth, key []byte, cfg config, logger *slog.Logger) (*webconferencing.Service, *httpapi.API, error) {
	providers, err := newProviders(cfg, key)
	if err != nil {
		return nil, nil, err
	}
	svc, err := webconferencing.New(store, people, &webconferencing.Options{
		Providers:   providers,
		RingTimeout: cfg.ring,
		Logger:      logger,
	})
	if err != nil {
		return nil, nil, err
	}
	// Old clients sign in to the message channel with a token. A key that
	// outlives the process keeps the tokens of open pages good after a
	// restart; it is derived, so that a token is never a session cookie.
	tokenKey, err := hkdf.Key(sha256.New, key, nil, "webconferencing tokens", 32)
	if err != nil {
		return nil, nil, err
	}
	options := httpapi.Options{
		TokenKey:      tokenKey,
		AcceptToken:   auth.acceptToken,
		ContainerName: "portal",
		Logger:        logger,
	}
	if len(cfg.proxies) > 0 {
		options.ClientAddr = auth.clientAddr
		options.Bayeux = &bayeux.Options{
			Cookie: bayeux.CookieOptions{Secure: true},
			// Browsers speak HTTP/2 to the proxy, where requests share a
			// connection.
			MaxConnectsPerBrowser: bayeux.Unlimited,
		}
	}
	api, err := httpapi.New(svc, auth, &options)
	if err != nil {
		return nil, nil, err
	}
	return svc, api, nil
}

// newProviders makes what carries the calls.
func newProviders(cfg config, key []byte) ([]webconferencing.Provider, error) {
	// Within one network calls work without any server for the media. Across
	// networks, give the provider STUN and TURN servers.
	direct, err := webrtc.New(nil)
	if err != nil {
		return nil, err
	}
	providers := []webconferencing.Provider{direct}
	if cfg.jitsi != "" {
		// Who knows this key can compute the names of rooms.
		roomKey, err := hkdf.Key(sha256.New, key, nil, "jitsi rooms", 32)
		if err != nil {
			return nil, err
		}
		meet, err := jitsi.New(cfg.jitsi, roomKey, nil)
		if err != nil {
			return nil, err
		}
		providers = append(providers, meet)
	}
	if cfg.link != "" {
		rooms, err := newLink(cfg.link, key)
		if err != nil {
			return nil, err
		}
		providers = append(providers, rooms)
	}
	return providers, nil
}

// newLink makes a provider of rooms at another service, which also brings a
// kind of account for people's profiles.
func newLink(address string, key []byte) (webconferencing.Provider, error) {
	roomKey, err := hkdf.Key(sha256.New, key, nil, "link rooms", 32)
	if err != nil {
		return nil, err
	}
	rooms, err := link.New("link", "Meeting room", address, &link.Options{Secret: hex.EncodeToString(roomKey)})
	if err != nil {
		return nil, err
	}
	return rooms.WithAccounts(link.Account{
		Type: "handle", Title: "Handle", Pattern: `@[\p{L}\p{N}][\p{L}\p{N}._-]{1,30}`,
		Problem: "A handle begins with @, followed by 2 to 31 letters, digits, dots or dashes.",
	})
}

// routes puts the library's handlers where existing clients expect them, and
// the portal's own pages beside them.
func routes(api *httpapi.API, pages http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/portal/rest/webconferencing/", http.StripPrefix("/portal/rest/webconferencing", api.REST()))
	mux.Handle("/portal/rest/state/status/", http.StripPrefix("/portal/rest/state/status", api.UserStatus()))
	mux.Handle("/cometd/", api.Bayeux())
	mux.Handle("/webconferencing/", http.StripPrefix("/webconferencing", api.Client()))
	mux.Handle("/", pages)
	return mux
}

// serve runs the portal until ctx is done or a part of it fails, and then
// stops the parts in the order in which they depend on each other.
func serve(ctx context.Context, server *http.Server, listener net.Listener, svc *webconferencing.Service, api *httpapi.API) error {
	// The parts live until they are shut down: a signal must not end the
	// service while requests are still being answered.
	life := context.WithoutCancel(ctx)
	failed := make(chan error, 3)
	go func() { failed <- svc.Run(life) }()
	go func() { failed <- api.Run(life) }()
	go func() { failed <- server.Serve(listener) }()

	var errs []error
	running := 3
	select {
	case err := <-failed:
		running--
		errs = append(errs, errors.New("a part of the portal stopped by itself"), err)
	case <-ctx.Done():
	}

	ctx, cancel := context.WithTimeout(life, 15*time.Second)
	defer cancel()
	// Pages still come to take what waits for them while the API ends.
	errs = append(errs, api.Shutdown(ctx), server.Shutdown(ctx), svc.Shutdown(ctx))
	for ; running > 0; running-- {
		if err := <-failed; err != nil && !errors.Is(err, http.ErrServerClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func printBanner(w io.Writer, addr net.Addr, people *directory, data string) {
	host := addr.String()
	if tcp, ok := addr.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		host = fmt.Sprintf("localhost:%d", tcp.Port)
	}
	// One write, so that who reads it sees all of it at once.
	fmt.Fprintf(w, "Portal:   http://%s/\nUsers:    %s (password %q)\nData in:  %s\n",
		host, strings.Join(people.logins(), ", "), demoPassword, data)
}
