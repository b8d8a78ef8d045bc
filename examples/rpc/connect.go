package rpc

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"connectrpc.com/connect"
)

// Connect returns an interceptor for handlers of Connect. In a client it changes nothing.
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
		return next(scoped, req)
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
		return next(scoped, conn)
	}
}

// enter returns the tenant's context, or the error for the caller.
func (i connectInterceptor) enter(ctx context.Context, header http.Header) (context.Context, error) {
	scoped, err := i.tenants.enter(ctx, header.Values(Key))
	if err == nil {
		return scoped, nil
	}
	r := refuse(ctx, err)
	told := connect.NewError(connect.Code(r.code), errors.New(r.text))
	if r.retry > 0 {
		told.Meta().Set("Retry-After", strconv.Itoa(int((r.retry+time.Second-1)/time.Second)))
	}
	return nil, told
}
