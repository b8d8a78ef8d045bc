package rpc

import (
	"context"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

// GRPCUnary is a [grpc.UnaryServerInterceptor]. It runs the handler with the tenant's context.
func (s Tenants) GRPCUnary(
	ctx context.Context,
	req any,
	_ *grpc.UnaryServerInfo,
	handler grpc.UnaryHandler,
) (any, error) {
	scoped, err := s.enter(ctx, metadata.ValueFromIncomingContext(ctx, Key))
	if err != nil {
		return nil, grpcError(refuse(ctx, err))
	}
	response, err := handler(scoped, req)
	return response, grpcFailure(ctx, err)
}

// GRPCStream is a [grpc.StreamServerInterceptor]. It checks the tenant at the start of the stream
// and for each message, so that a stream ends when its tenant is suspended.
func (s Tenants) GRPCStream(
	srv any,
	stream grpc.ServerStream,
	_ *grpc.StreamServerInfo,
	handler grpc.StreamHandler,
) error {
	keys := metadata.ValueFromIncomingContext(stream.Context(), Key)
	scoped, err := s.enter(stream.Context(), keys)
	if err != nil {
		return grpcError(refuse(stream.Context(), err))
	}
	return grpcFailure(stream.Context(), handler(srv, scopedStream{stream, scoped, s, keys}))
}

// scopedStream is a stream with the tenant's context.
type scopedStream struct {
	grpc.ServerStream
	ctx     context.Context
	tenants Tenants
	keys    []string
}

// Context returns the context with the tenant.
func (s scopedStream) Context() context.Context { return s.ctx }

// RecvMsg receives a message and then checks that the tenant is still served.
func (s scopedStream) RecvMsg(m any) error {
	if err := s.ServerStream.RecvMsg(m); err != nil {
		return err
	}
	return s.check()
}

// SendMsg checks that the tenant is still served and then sends a message.
func (s scopedStream) SendMsg(m any) error {
	if err := s.check(); err != nil {
		return err
	}
	return s.ServerStream.SendMsg(m)
}

func (s scopedStream) check() error {
	if err := s.tenants.again(s.ctx, s.keys); err != nil {
		return grpcError(refuse(s.ctx, err))
	}
	return nil
}

// grpcFailure converts the error of a handler for the caller. An error that is a status already
// stays as it is.
func grpcFailure(ctx context.Context, err error) error {
	if _, coded := status.FromError(err); coded {
		return err
	}
	return grpcError(failed(ctx, err))
}

// grpcError converts a refusal to a status, with a RetryInfo if it is known when to call again.
func grpcError(r refusal) error {
	st := status.New(codes.Code(r.code), r.text)
	if r.retry > 0 {
		if with, err := st.WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(r.retry)}); err == nil {
			st = with
		}
	}
	return st.Err()
}
