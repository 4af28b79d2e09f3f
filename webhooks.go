package webconferencing

import "context"

const (
	maxWebhookBody  = 1 << 20
	maxWebhookReply = 64 << 10
)

// Webhook hands a request of a provider's server to the provider and takes in
// what it says. The provider decides whether the request is authentic; nothing
// of one that is not is used, and its error has [CodeDenied]. When the evidence
// could not be written the error has [CodeUnavailable] and the provider's server
// should try again.
func (r *Registry) Webhook(ctx context.Context, typ string, req WebhookRequest) (*WebhookReply, error) {
	const op = "take webhook"
	e, err := r.find(typ)
	if err != nil {
		return nil, r.service.wrap(ctx, Actor{}, op, err)
	}
	if e.webhook == nil {
		return nil, r.service.wrap(ctx, Actor{}, op, &Error{Code: CodeNotFound, Message: "provider has no webhooks", Err: ErrNotFound})
	}
	if len(req.Body) > maxWebhookBody {
		return nil, r.service.wrap(ctx, Actor{}, op, &Error{Code: CodeLimited, Field: "body", Message: "the body is too large"})
	}
	reply, err := ask(ctx, r, e, func(ctx context.Context) (*WebhookReply, error) { return e.webhook.Webhook(ctx, req) })
	if err != nil {
		return nil, r.service.wrap(ctx, Actor{}, op, err)
	}
	if reply == nil {
		reply = &WebhookReply{}
	}
	own := *reply
	if len(own.Body) > maxWebhookReply {
		return nil, r.service.wrap(ctx, Actor{}, op, &Error{Code: CodeInternal, Message: "internal error"})
	}
	if err := r.service.TakeEvidence(ctx, e.info.Type, own.Evidence); err != nil {
		return nil, r.service.wrap(ctx, Actor{}, op, err)
	}
	if own.Status == 0 {
		own.Status = 200
		if len(own.Body) == 0 {
			own.Status = 204
		}
	}
	return &own, nil
}
