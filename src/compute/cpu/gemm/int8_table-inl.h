// The table of an instruction set's int8.cc.
//
// Include inside an unnamed namespace of ocellus::compute::cpu, last, after quant/unpack-inl.h,
// gemm/int8-inl.h and gemm/int8_decode-inl.h, with constexpr const char* kName. Defines kInt8Table.

constexpr Int8Kernels kInt8Table = {
    .name = kName,
    .tile_rows = OCELLUS_INT8_ROWS,
    .tile_value_bytes = kTileValueBytes,
    .round_row = round_row,
    .interleave = interleave_rows,
    .widen_i16 = kWidenI16,
    .tile = int8_tile,
    .dot = int8_dot,
    .expand = int8_expand,
    .requantize = int8_requantize,
};
