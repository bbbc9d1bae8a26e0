# Every ggml type that the gguf package can read, as random blocks, and the values it reads.
import sys, numpy as np, gguf
from gguf import quants, GGMLQuantizationType as T
rng=np.random.default_rng(5)
w=gguf.GGUFWriter(sys.argv[1],"types")
for t in T:
    if t in (T.F32,T.F16,T.BF16): 
        x=rng.standard_normal((2,64)).astype(np.float32)
        q=quants.quantize(x,t)
        v=quants.dequantize(q,t)
    elif t in quants._type_traits:
        block,size=gguf.GGML_QUANT_SIZES[t]
        n=512//block if block==256 else 4
        q=rng.integers(0,256,(2,n,size),dtype=np.uint8)
        # the scales of a block are float16: keep them finite and small
        halves={T.Q4_0:[0],T.Q4_1:[0,2],T.Q5_0:[0],T.Q5_1:[0,2],T.Q8_0:[0],T.Q2_K:[80,82],T.Q3_K:[108],T.Q4_K:[0,2],T.Q5_K:[0,2],T.Q6_K:[208],
                T.IQ2_XXS:[0],T.IQ2_XS:[0],T.IQ2_S:[0],T.IQ3_XXS:[0],T.IQ3_S:[0],T.IQ1_S:[0],T.IQ4_NL:[0],T.IQ4_XS:[0],T.TQ1_0:[52],T.TQ2_0:[64]}
        if t not in halves:
            print("left out",t.name); continue
        for at in halves[t]:
            s=(rng.standard_normal((2,n))*0.1).astype(np.float16)
            q[:,:,at:at+2]=s.view(np.uint8).reshape(2,n,2)
        q=q.reshape(2,-1)
        v=quants.dequantize(q,t)
    else: continue
    assert np.isfinite(v).all(), t
    w.add_tensor(t.name, q, raw_dtype=t)
    w.add_tensor(t.name+".values", v.astype(np.float32))
w.write_header_to_file(); w.write_kv_data_to_file(); w.write_tensors_to_file(); w.close()
