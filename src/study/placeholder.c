typedef int piaa_study_placeholder;
