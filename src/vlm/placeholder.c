typedef int piaa_vlm_placeholder;
