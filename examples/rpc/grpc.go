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

// GRPCUnary is a [grpc.UnaryServerInterceptor].
func (s Tenants) GRPCUnary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	scoped, err := s.enter(ctx, metadata.ValueFromIncomingContext(ctx, Key))
	if err != nil {
		return nil, grpcError(ctx, err)
	}
	return handler(scoped, req)
}

// GRPCStream is a [grpc.StreamServerInterceptor]. It checks the tenant when the stream begins. The
// handler of a long stream calls [tenancy.Serveable] again.
func (s Tenants) GRPCStream(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	scoped, err := s.enter(stream.Context(), metadata.ValueFromIncomingContext(stream.Context(), Key))
	if err != nil {
		return grpcError(stream.Context(), err)
	}
	return handler(srv, scopedStream{stream, scoped})
}

// scopedStream is a stream with another context.
type scopedStream struct {
	grpc.ServerStream
	ctx context.Context
}

func (s scopedStream) Context() context.Context { return s.ctx }

// grpcError returns the status for the caller, with a RetryInfo if it is known when to call again.
func grpcError(ctx context.Context, err error) error {
	r := refuse(ctx, err)
	st := status.New(codes.Code(r.code), r.text)
	if r.retry > 0 {
		if with, err := st.WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(r.retry)}); err == nil {
			st = with
		}
	}
	return st.Err()
}
