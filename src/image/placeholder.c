typedef int piaa_image_placeholder;
