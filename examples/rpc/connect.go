package rpc

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"connectrpc.com/connect"
)

// Connect returns an interceptor for handlers of Connect. In a client it does nothing.
func (s Tenants) Connect() connect.Interceptor { return connectInterceptor{s} }

type connectInterceptor struct{ tenants Tenants }

func (i connectInterceptor) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
		if req.Spec().IsClient {
			return next(ctx, req)
		}
		scoped, err := i.enter(ctx, req.Header())
		if err != nil {
			return nil, err
		}
		response, err := next(scoped, req)
		return response, connectFailure(ctx, err)
	}
}

func (i connectInterceptor) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}

func (i connectInterceptor) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, conn connect.StreamingHandlerConn) error {
		scoped, err := i.enter(ctx, conn.RequestHeader())
		if err != nil {
			return err
		}
		return connectFailure(ctx, next(scoped, scopedConn{conn, scoped, i.tenants}))
	}
}

// scopedConn is a stream that ends when its tenant is no longer served.
type scopedConn struct {
	connect.StreamingHandlerConn
	ctx     context.Context
	tenants Tenants
}

// Receive receives a message and then checks that the tenant is still served.
func (c scopedConn) Receive(m any) error {
	if err := c.StreamingHandlerConn.Receive(m); err != nil {
		return err
	}
	return c.check()
}

// Send checks that the tenant is still served and then sends a message.
func (c scopedConn) Send(m any) error {
	if err := c.check(); err != nil {
		return err
	}
	return c.StreamingHandlerConn.Send(m)
}

func (c scopedConn) check() error {
	if err := c.tenants.again(c.ctx, c.RequestHeader().Values(Key)); err != nil {
		return connectError(refuse(c.ctx, err))
	}
	return nil
}

// enter returns the context with the tenant, or the error for the caller.
func (i connectInterceptor) enter(ctx context.Context, header http.Header) (context.Context, error) {
	scoped, err := i.tenants.enter(ctx, header.Values(Key))
	if err == nil {
		return scoped, nil
	}
	return nil, connectError(refuse(ctx, err))
}

// connectFailure converts the error of a handler for the caller. A [connect.Error] stays as it is.
func connectFailure(ctx context.Context, err error) error {
	if err == nil || errors.As(err, new(*connect.Error)) {
		return err
	}
	return connectError(failed(ctx, err))
}

// connectError converts a refusal to an error for the caller, with a Retry-After if it is known
// when to call again.
func connectError(r refusal) error {
	connectErr := connect.NewError(connect.Code(r.code), errors.New(r.text))
	if r.retry > 0 {
		connectErr.Meta().Set("Retry-After", strconv.Itoa(int((r.retry+time.Second-1)/time.Second)))
	}
	return connectErr
}
