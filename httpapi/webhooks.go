package httpapi

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/webconferencing/webconferencing"
)

const (
	maxWebhookBody = 1 << 20
	// maxWebhooks bounds the memory that bodies of strangers can take.
	maxWebhooks = 64
)

// hooks serves webhook/{type}/... below the REST resources, everything else
// goes to next. Nobody is signed in there: the provider itself decides whether
// a request is its server's, and answers 403 otherwise.
func (a *API) hooks(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rest, ok := strings.CutPrefix(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "webhook/")
		if !ok {
			next.ServeHTTP(w, r)
			return
		}
		reply, err := a.webhook(w, r, rest)
		if err != nil {
			a.answerError(w, &request{Request: r, attempt: newAttempt(r)}, err)
			return
		}
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		// What a provider answers is for its server; a browser that gets to
		// see it must not run it as the portal's.
		h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
		if len(reply.Body) > 0 {
			h.Set("Content-Type", reply.ContentType)
			h.Set("Content-Length", strconv.Itoa(len(reply.Body)))
		}
		w.WriteHeader(reply.Status)
		_, _ = w.Write(reply.Body) // the server is gone, there is nobody to tell
	})
}

// webhook hands a request to the provider that its address names.
func (a *API) webhook(w http.ResponseWriter, r *http.Request, rest string) (*webconferencing.WebhookReply, error) {
	if wait, ok := a.webhooks.allow(a.opts.customer(r), time.Now()); !ok {
		return nil, tooManyRequests(wait)
	}
	typ, path, err := webhookPath(rest)
	if err != nil {
		return nil, err
	}
	query, err := parseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	select {
	case a.webhookSlots <- struct{}{}:
		defer func() { <-a.webhookSlots }()
	default:
		return nil, &webconferencing.Error{Code: webconferencing.CodeUnavailable, Message: "too many webhooks at once, please try again"}
	}
	body, err := webhookBody(w, r)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), commandTimeout)
	defer cancel()
	remote, _ := netip.ParseAddr(a.opts.clientAddr(r)) // the zero Addr says that it is not known
	reply, err := a.svc.Providers().Webhook(ctx, typ, webconferencing.WebhookRequest{
		Method: r.Method, Path: path, Query: query, Header: r.Header.Clone(), Body: body, Remote: remote,
	})
	if err != nil {
		return nil, err
	}
	if reply.Status < 200 || reply.Status > 599 {
		return nil, errors.New("the provider's webhook has no valid status")
	}
	if reply.ContentType == "" {
		reply.ContentType = "application/json; charset=utf-8"
	}
	if reply.Status == http.StatusNoContent || reply.Status == http.StatusNotModified {
		reply.Body = nil
	}
	return reply, nil
}

// webhookPath splits an address into the provider's type and what follows.
func webhookPath(rest string) (typ, path string, err error) {
	segments := strings.Split(rest, "/")
	for i, s := range segments {
		plain, err := url.PathUnescape(s)
		if err != nil {
			return "", "", clientStatus(http.StatusBadRequest, "bad_path", "the address is not valid")
		}
		segments[i] = plain
	}
	if !webconferencing.ValidProviderType(segments[0]) || len(rest) > 4096 {
		return "", "", &statusError{status: http.StatusNotFound, code: wireNotFoundError, message: "there is no such resource"}
	}
	return segments[0], strings.Join(segments[1:], "/"), nil
}

func webhookBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if r.ContentLength > maxWebhookBody {
		w.Header().Set("Connection", "close")
		return nil, &http.MaxBytesError{Limit: maxWebhookBody}
	}
	// Some servers and middlewares can't set deadlines; theirs hold then.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTimeout))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxWebhookBody))
	var tooLarge *http.MaxBytesError
	switch {
	case err == nil || errors.As(err, &tooLarge):
		return body, err
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, clientStatus(http.StatusRequestTimeout, "too_slow", "the body came too slowly")
	}
	return nil, clientStatus(http.StatusBadRequest, "bad_body", "the body could not be read")
}
